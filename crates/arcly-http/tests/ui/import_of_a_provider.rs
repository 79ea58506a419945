use arcly_http::prelude::*;

#[derive(Injectable)]
struct Unit;

#[derive(Injectable)]
struct Tuple(Inject<Unit>);

#[derive(Injectable)]
struct Named {
    unit: Inject<Unit>,
}

#[module(root, imports(Unit, Tuple, Named))]
struct AppModule;

fn main() {}
