use arcly_http::prelude::*;

#[injectable]
struct Orders;

#[controller("/users")]
struct Users;

#[provider]
struct Books;

#[module(providers(Orders))]
impl Orders {}

#[arcly_http::main(AppModule)]
struct Main;

fn main() {}
