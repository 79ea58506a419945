use arcly_http::prelude::*;

#[derive(Injectable)]
struct Articles;

#[controller("/articles")]
impl Articles {
    #[get("/language", cache("30s"))]
    #[public]
    fn language(&self, accept_language: Option<Header<String>>) -> String {
        accept_language.map(|language| language.0).unwrap_or_default()
    }

    #[get("/theme", cache("30s"))]
    #[public]
    fn theme(&self, theme: Cookie<String>) -> String {
        theme.0
    }

    #[get("/mine", cache("30s", per = roles))]
    #[authenticated]
    fn mine(&self, caller: Caller) -> String {
        caller.subject().to_owned()
    }

    #[get("/scope", cache("30s", per = everyone))]
    #[public]
    fn scope(&self, scope: Scope) -> String {
        format!("{:?}", scope.claims())
    }

    #[get("/address", cache("30s"))]
    #[public]
    fn address(&self, address: ClientAddr) -> String {
        format!("{:?}", address.0)
    }

    #[get("/all", cache("30s", per = everyone))]
    #[authenticated]
    fn all(&self) -> String {
        String::new()
    }

    #[get("/tags/{slug}", cache("30s", tags("article:{id}")))]
    #[public]
    fn tags(&self, slug: Path<String>) -> String {
        slug.0
    }

    #[get("/names", cache("30s", vary("Accept Language")))]
    #[public]
    fn names(&self) -> String {
        String::new()
    }
}

#[derive(Injectable)]
struct Times;

#[controller("/times")]
impl Times {
    #[get("/ever", cache)]
    #[public]
    fn ever(&self) -> String {
        String::new()
    }

    #[get("/never", cache("0s"))]
    #[public]
    fn never(&self) -> String {
        String::new()
    }

    #[get("/more", cache("1s", ttl = "2s"))]
    #[public]
    fn more(&self) -> String {
        String::new()
    }
}

#[module(root, controllers(Articles))]
struct AppModule;

fn main() {}
