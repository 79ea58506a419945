use arcly_http::prelude::*;

#[derive(Injectable)]
struct Files;

#[controller("/files")]
impl Files {
    #[route("purge", "/a")]
    #[public]
    async fn lower_case(&self) {}

    #[route("GET", "/b")]
    #[public]
    async fn has_its_own(&self) {}

    #[route("CONNECT", "/d")]
    #[public]
    async fn tunnel(&self) {}

    #[route("PROP FIND", "/c")]
    #[public]
    async fn no_token(&self) {}

    #[route("PURGE")]
    #[public]
    async fn no_path(&self) {}

    #[route]
    #[public]
    async fn nothing(&self) {}
}

#[module(root, controllers(Files))]
struct AppModule;

fn main() {}
