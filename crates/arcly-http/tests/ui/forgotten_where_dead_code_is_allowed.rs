#![allow(dead_code)]

use arcly_http::prelude::*;

#[derive(Injectable)]
struct Forgotten;

#[controller("/forgotten")]
impl Forgotten {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[module]
struct NotImported;

#[module(root)]
struct AppModule;

fn main() {}
