use arcly_http::prelude::*;

struct Bare;

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct NewUser {
    #[garde(length(chars, min = 1))]
    name: String,
}

#[derive(Injectable)]
struct Users {}

#[controller("/users")]
impl Users {
    #[post("/")]
    #[public]
    async fn create(&self, user: Valid<Json<NewUser>>) -> String {
        user.name.clone()
    }

    #[put("/")]
    #[public]
    async fn replace(&self, _user: Json<Bare>) {}
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
