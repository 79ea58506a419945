use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users {
    count: u32,
}

fn main() {}
