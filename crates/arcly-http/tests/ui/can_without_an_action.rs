use arcly_http::prelude::*;

#[derive(Clone, Copy)]
enum Wish {
    Read,
}

#[derive(Injectable)]
struct Users {}

#[controller("/users")]
impl Users {
    #[get("/")]
    #[can("users:read")]
    fn list(&self) {}

    #[get("/wishes")]
    #[can(Wish::Read)]
    fn wishes(&self) {}
}

fn main() {}
