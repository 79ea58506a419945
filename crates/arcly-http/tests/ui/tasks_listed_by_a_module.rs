use arcly_http::prelude::*;

#[provider]
fn tasks() -> Tasks {
    Tasks::new()
}

#[module(root, providers(tasks))]
struct AppModule;

fn main() {}
