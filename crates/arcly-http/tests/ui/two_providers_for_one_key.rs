use arcly_http::prelude::*;

#[injectable]
trait Port {}

#[derive(Injectable)]
struct One;

#[derive(Injectable)]
struct Two;

impl Port for One {}
impl Port for Two {}

#[module(providers(One))]
struct OneModule;

#[module(root, imports(OneModule), providers(One, Two as dyn Port, Three as dyn Port))]
struct AppModule;

#[derive(Injectable)]
struct Three;

impl Port for Three {}

fn main() {}
