use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[controller("/people")]
impl Users {
    #[get("/")]
    #[public]
    fn people(&self) {}
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
