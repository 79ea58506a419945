//! poem-openapi: operations described in an OpenAPI document, as ours are.

use peers_common::{HELLO, address, runtime, stop};
use poem::listener::TcpListener;
use poem::{Route, Server};
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi, OpenApiService};

#[derive(Object)]
#[oai(read_only_all)]
struct Message {
    message: &'static str,
}

#[derive(Object)]
#[oai(read_only_all)]
struct User {
    id: u64,
    name: &'static str,
}

#[derive(Object)]
struct Account {
    #[oai(validator(min_length = 1, max_length = 64))]
    name: String,
    #[oai(validator(maximum(value = "150")))]
    age: u8,
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
}

#[derive(Object)]
struct Problem {
    title: String,
    status: u16,
}

#[derive(ApiResponse)]
#[oai(bad_request_handler = "refuse")]
enum Echoed {
    #[oai(status = 200)]
    Account(Json<Account>),
    #[oai(status = 422, content_type = "application/problem+json")]
    Problem(Json<Problem>),
}

fn refuse(error: poem::Error) -> Echoed {
    Echoed::Problem(Json(Problem { title: error.to_string(), status: 422 }))
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/plaintext", method = "get")]
    async fn plaintext(&self) -> PlainText<&'static str> {
        PlainText(HELLO)
    }

    #[oai(path = "/json", method = "get")]
    async fn json(&self) -> Json<Message> {
        Json(Message { message: HELLO })
    }

    #[oai(path = "/users/:id", method = "get")]
    async fn user(&self, id: Path<u64>) -> Json<User> {
        Json(User { id: id.0, name: "Ann" })
    }

    #[oai(path = "/echo", method = "post")]
    async fn echo(&self, account: Json<Account>) -> Echoed {
        Echoed::Account(account)
    }
}

fn main() -> std::io::Result<()> {
    runtime().block_on(async {
        let service = OpenApiService::new(Api, "peer", "0.0.0");
        let document = service.spec_endpoint();
        let app = Route::new().nest("/", service).at("/openapi.json", document);
        Server::new(TcpListener::bind(address()))
            .run_with_graceful_shutdown(app, stop(), None)
            .await
    })
}
