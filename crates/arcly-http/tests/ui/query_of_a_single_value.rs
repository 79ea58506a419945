use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self, page: Query<u32>) {
        let _ = page;
    }

    #[post("/")]
    #[public]
    fn create(&self, name: Option<Form<String>>) {
        let _ = name;
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
