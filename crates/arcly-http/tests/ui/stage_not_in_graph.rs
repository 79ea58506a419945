use arcly_http::prelude::*;

#[derive(Injectable)]
struct Limit;

impl Guard for Limit {
    fn describe(_operation: &mut arcly_http::contract::Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Injectable)]
struct Users;

#[controller("/users", guards(Limit))]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/me")]
    #[public]
    fn me(&self) -> Json<u32> {
        Json(1)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
