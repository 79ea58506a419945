use arcly_http::prelude::*;

struct Wrong;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self, wrong: Wrong) -> Json<u32> {
        let _ = wrong;
        Json(1)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
