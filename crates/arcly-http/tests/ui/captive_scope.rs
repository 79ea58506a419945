use arcly_http::prelude::*;

#[derive(Injectable)]
#[inject(scope = request)]
struct Cart;

#[derive(Injectable)]
struct Orders {
    cart: Inject<Cart>,
}

#[derive(Injectable)]
struct Audit {
    scope: Inject<Scope>,
}

#[module(root, providers(Cart, Orders, Audit))]
struct AppModule;

fn main() {}
