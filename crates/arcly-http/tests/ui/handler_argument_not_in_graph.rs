use arcly_http::prelude::*;

#[derive(Injectable)]
struct Mailer;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self, _mailer: Inject<Mailer>) -> Json<u32> {
        Json(1)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
