use arcly_http::config::Secret;
use arcly_http::prelude::*;

#[derive(Config)]
struct Keys {
    /// Signs tokens.
    #[config(secret, optional_in_dev)]
    key: Secret,
}

fn main() {}
