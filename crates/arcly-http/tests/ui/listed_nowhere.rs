use arcly_http::prelude::*;

#[derive(Injectable)]
struct Forgotten;

#[controller("/forgotten")]
impl Forgotten {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[derive(Injectable)]
struct Misplaced;

#[controller("/misplaced")]
impl Misplaced {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[derive(Injectable)]
struct Listed;

#[controller("/listed")]
impl Listed {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[module(controllers(Listed))]
struct NotImported;

/// Launched by tests alone, and so not there without them.
#[cfg(test)]
#[module(controllers(Listed))]
struct TestModule;

#[module(providers(Listed))]
#[cfg(test)]
struct OtherTestModule;

#[module(root, providers(Misplaced))]
struct AppModule;

fn main() {}
