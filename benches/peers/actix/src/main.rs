//! Bare actix-web, one worker.

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, error, web};
use garde::Validate as _;
use peers_common::{Account, HELLO, Message, PROBLEM, PROBLEM_TYPE, User, address};

fn problem() -> HttpResponse {
    HttpResponse::build(StatusCode::UNPROCESSABLE_ENTITY).content_type(PROBLEM_TYPE).body(PROBLEM)
}

async fn echo(account: web::Json<Account>) -> Result<web::Json<Account>, actix_web::Error> {
    match account.validate() {
        Ok(()) => Ok(account),
        Err(report) => Err(error::InternalError::from_response(report, problem()).into()),
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    HttpServer::new(|| {
        let json = web::JsonConfig::default()
            .error_handler(|why, _| error::InternalError::from_response(why, problem()).into());
        App::new()
            .app_data(json)
            .route("/plaintext", web::get().to(|| async { HELLO }))
            .route("/json", web::get().to(|| async { web::Json(Message { message: HELLO }) }))
            .route(
                "/users/{id}",
                web::get().to(|id: web::Path<u64>| async move {
                    web::Json(User { id: id.into_inner(), name: "Ann" })
                }),
            )
            .route("/echo", web::post().to(echo))
    })
    .workers(1)
    .bind(address())?
    .run()
    .await
}
