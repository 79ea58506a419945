use arcly_http::access::Authenticator;
use arcly_http::prelude::*;
use arcly_http_fixture::ActionModule;
use std::sync::Arc;

#[derive(Clone, Copy, Action)]
enum Article {
    #[action(role = "reader")]
    Publish,
}

#[derive(Injectable)]
struct Articles;

#[controller("/articles")]
impl Articles {
    #[post("/")]
    #[can(Article::Publish)]
    fn publish(&self) -> NoContent {
        NoContent
    }
}

#[provider]
fn authenticator() -> Arc<dyn Authenticator> {
    unreachable!()
}

#[module(root, imports(ActionModule), providers(authenticator), controllers(Articles))]
struct AppModule;

fn main() {}
