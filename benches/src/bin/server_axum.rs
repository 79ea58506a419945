//! Bare axum: no layers.

use arcly_benches::{Account, HELLO, Message, User, address, runtime, stop};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use garde::Validate as _;

async fn echo(Json(account): Json<Account>) -> Result<Json<Account>, StatusCode> {
    account.validate().map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    Ok(Json(account))
}

fn main() {
    runtime().block_on(async {
        let app = Router::new()
            .route("/plaintext", get(|| async { HELLO }))
            .route("/json", get(|| async { Json(Message { message: HELLO }) }))
            .route(
                "/users/{id}",
                get(|Path(id): Path<u64>| async move { Json(User { id, name: "Ann" }) }),
            )
            .route("/echo", post(echo));
        let listener = tokio::net::TcpListener::bind(address()).await.expect("the address is free");
        tokio::select! {
            result = async { axum::serve(listener, app).await } => result.expect("axum serves"),
            () = stop() => {}
        }
    });
}
