use arcly_http::prelude::*;

/// Public, but nobody else can import from a binary.
#[module]
pub struct NotImported;

pub mod orders {
    use arcly_http::prelude::*;

    #[derive(Injectable)]
    pub struct Elsewhere;

    #[controller("/elsewhere", elsewhere)]
    impl Elsewhere {
        #[get("/")]
        #[public]
        fn list(&self) {}
    }

    #[module]
    pub struct OrderModule;
}

/// Passed on by its name, which is a type and a static.
pub use orders::OrderModule;

#[module(root, imports(OrderModule))]
pub struct AppModule;

fn main() {}
