//! The published crate `arcly-http`, with what it does by default.

use arcly_http::prelude::*;
use peers_common::{HELLO, address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Serialize, JsonSchema)]
struct Message {
    message: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct User {
    id: u64,
    name: &'static str,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Account {
    #[validate(length(min = 1, max = 64))]
    name: String,
    #[validate(range(max = 150))]
    age: u8,
    #[validate(length(min = 3, max = 254))]
    email: String,
}

struct Peer;

#[Controller("/")]
impl Peer {
    #[Get("/plaintext")]
    async fn plaintext() -> &'static str {
        HELLO
    }

    #[Get("/json")]
    async fn json() -> Json<Message> {
        Json(Message { message: HELLO })
    }

    #[Get("/users/:id")]
    async fn user(#[Param("id")] id: u64) -> Json<User> {
        Json(User { id, name: "Ann" })
    }

    #[Post("/echo")]
    async fn echo(#[Body] account: Account) -> Json<Account> {
        Json(account)
    }
}

#[Module(controllers(Peer))]
struct AppModule;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    App::launch::<AppModule>(&address().to_string()).await
}
