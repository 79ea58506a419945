use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    fn list(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/me")]
    #[public]
    #[authenticated]
    fn me(&self) -> Json<u32> {
        Json(1)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
