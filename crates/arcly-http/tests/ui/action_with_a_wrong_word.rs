use arcly_http::prelude::*;

#[derive(Clone, Copy, Action)]
enum Article {
    #[action(roles = "editor")]
    Publish,
}

#[derive(Injectable)]
struct Articles;

#[controller("/articles")]
impl Articles {
    #[post("/")]
    #[can(Article::Publish)]
    fn publish(&self) {}
}

#[allow(dead_code)]
#[module(controllers(Articles), actions(Article))]
struct ArticleModule;

fn main() {}
