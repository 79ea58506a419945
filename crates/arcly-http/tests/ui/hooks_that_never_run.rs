use arcly_http::di::HookError;
use arcly_http::prelude::*;

#[derive(Injectable)]
#[inject(scope = request)]
struct PerRequest;

impl Lifecycle for PerRequest {
    async fn on_init(&self) -> Result<(), HookError> {
        Ok(())
    }
}

#[derive(Injectable)]
#[inject(scope = transient)]
struct WithoutHooks;

#[module(root, providers(PerRequest, WithoutHooks))]
struct AppModule;

fn main() {}
