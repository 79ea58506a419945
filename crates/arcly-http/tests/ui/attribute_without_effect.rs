use arcly_http::prelude::*;

#[get("/lost")]
fn lost() -> &'static str {
    "nobody mounts this"
}

#[derive(Injectable)]
struct Users;

#[controller("/users", authenticated)]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(1)
    }
}

#[derive(Injectable)]
struct Others;

#[controller("/others")]
impl Others {
    #[authenticated]
    fn helper(&self) {}
}

#[module(root, controllers(Others))]
struct AppModule;

fn main() {}
