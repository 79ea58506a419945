use arcly_http::prelude::*;

#[derive(Injectable)]
struct Articles;

#[controller("/articles")]
#[UseGuards(OfficeHours)]
#[rate_limit("5/min")]
#[roles("editor")]
#[allow_anonymous]
impl Articles {
    #[get("/")]
    #[public]
    #[use_guards(OfficeHours)]
    #[http_code(202)]
    #[api_operation(summary = "All of them")]
    fn list(&self) {}

    #[get_mapping("/{id}")]
    #[permit_all]
    fn read(&self, #[path_variable] _id: Path<u32>) {}

    #[post("/")]
    #[roles_allowed("editor")]
    #[throttle(5)]
    #[name("x")]
    fn write(&self, #[body] _text: String) {}

    /// What other crates and the compiler know stays.
    #[get("/own")]
    #[public]
    #[must_use]
    #[allow(unused_variables)]
    #[tracing::instrument(skip_all)]
    fn own(&self) {}

    #[provider]
    fn factory() -> u32 {
        1
    }
}

#[module(root, controllers(Articles))]
struct AppModule;

fn main() {}
