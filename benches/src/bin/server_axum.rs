//! Bare axum: no layers.

use arcly_benches::{Account, HELLO, Message, PROBLEM, PROBLEM_TYPE, User, address, runtime, stop};
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use garde::Validate as _;

fn problem() -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, [(CONTENT_TYPE, PROBLEM_TYPE)], PROBLEM).into_response()
}

async fn echo(account: Result<Json<Account>, JsonRejection>) -> Result<Json<Account>, Response> {
    let Json(account) = account.map_err(|_| problem())?;
    account.validate().map_err(|_| problem())?;
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
