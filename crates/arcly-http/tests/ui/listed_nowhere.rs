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

/// A library for other crates may leave the listing to them.
#[derive(Injectable)]
pub struct ForOthers;

#[controller("/for-others", elsewhere)]
impl ForOthers {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[module(controllers(Listed))]
struct NotImported;

#[module(root, providers(Misplaced))]
struct AppModule;

fn main() {}
