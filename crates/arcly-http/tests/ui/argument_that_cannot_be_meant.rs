use arcly_http::prelude::*;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct NewUser {
    name: String,
}

#[derive(Injectable)]
struct Users {}

#[controller("/users")]
impl Users {
    #[get("/{id}")]
    #[public]
    fn show(&self, id: u64) -> String {
        id.to_string()
    }

    #[post("/")]
    #[public]
    async fn create(&self, first: Json<NewUser>, second: Json<NewUser>) -> String {
        format!("{}{}", first.name, second.name)
    }

    #[get("/me")]
    #[public]
    fn me(&self, caller: Caller) -> String {
        caller.subject().to_owned()
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
