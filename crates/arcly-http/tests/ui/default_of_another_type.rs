use std::time::Duration;

use arcly_http::prelude::*;

#[derive(Config)]
#[config(section = "shop")]
struct ShopConfig {
    #[config(default = "many")]
    lines_max: usize,
    #[config(default = "300")]
    port: Option<u8>,
    #[config(default = "30")]
    patience: Duration,
    #[config(default = "80,http")]
    ports: Vec<u16>,
    #[config(default = "maybe")]
    is_open: bool,
    #[config(default = "anything")]
    name: String,
}

#[module(root, providers(ShopConfig))]
struct AppModule;

fn main() {}
