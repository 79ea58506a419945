use arcly_http::prelude::*;

#[module(imports(BModule))]
struct AModule;

#[module(imports(AModule))]
struct BModule;

#[module(root, imports(AModule))]
struct AppModule;

fn main() {}
