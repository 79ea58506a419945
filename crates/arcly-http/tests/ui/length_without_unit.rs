use arcly_http::prelude::*;

#[derive(Input)]
struct NewArticle {
    #[garde(length(min = 1, max = 256))]
    title: String,
    #[garde(length(max = 32), inner(length(max = 64)))]
    tags: Option<Vec<String>>,
    #[garde(length(chars, max = 1024))]
    body: String,
}

fn main() {}
