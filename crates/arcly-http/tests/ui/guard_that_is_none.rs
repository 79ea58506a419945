use arcly_http::prelude::*;

#[derive(Injectable)]
struct Hours {}

#[derive(Injectable)]
struct Users {}

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    #[guards(Hours)]
    fn list(&self) {}

    #[post("/")]
    #[public]
    #[guards(Hours::between(9, 18))]
    fn create(&self) {}
}

#[module(root, providers(Hours), controllers(Users))]
struct AppModule;

fn main() {}
