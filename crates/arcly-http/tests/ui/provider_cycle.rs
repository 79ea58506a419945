use arcly_http::prelude::*;

#[derive(Injectable)]
struct Orders {
    billing: Inject<Billing>,
}

#[derive(Injectable)]
struct Billing {
    ledger: Inject<Ledger>,
}

#[derive(Injectable)]
struct Ledger {
    orders: Inject<Orders>,
}

#[module(root, providers(Orders, Billing, Ledger))]
struct AppModule;

fn main() {}
