use arcly_http::prelude::*;

#[injectable(many)]
trait Plugin {}

#[derive(Injectable)]
struct First;

impl Plugin for First {}

#[derive(Injectable)]
struct Host {
    plugin: Inject<dyn Plugin>,
}

#[module(root, providers(First as dyn Plugin, Host))]
struct AppModule;

fn main() {}
