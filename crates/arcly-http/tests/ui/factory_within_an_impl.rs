use arcly_http::prelude::*;

struct Factories;

impl Factories {
    #[provider]
    fn books() -> String { String::new() }
}

fn main() {}
