use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/me")]
    #[authenticated]
    fn me(&self, caller: Caller) -> String {
        caller.subject().to_owned()
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
