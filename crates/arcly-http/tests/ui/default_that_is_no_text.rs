use arcly_http::prelude::*;

#[derive(Config)]
#[config(section = "shop")]
struct Settings {
    #[config(default = 10)]
    lines_max: u32,
}

#[module(root, providers(Settings))]
struct AppModule;

fn main() {}
