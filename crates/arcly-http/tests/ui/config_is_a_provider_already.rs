use arcly_http::prelude::*;

#[derive(Config, Injectable)]
#[config(section = "shop")]
struct ShopConfig {
    lines_max: usize,
}

#[derive(Injectable, Config)]
struct MailConfig {
    server: String,
}

#[derive(Injectable, Token)]
struct Orders;

#[module(root, providers(ShopConfig))]
struct AppModule;

fn main() {}
