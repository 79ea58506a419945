//! Bare hyper: the floor.

use std::convert::Infallible;

use arcly_benches::{Account, HELLO, Message, PROBLEM, PROBLEM_TYPE, User, address, runtime, stop};
use bytes::Bytes;
use garde::Validate as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;

type Reply = Response<Full<Bytes>>;

fn typed(body: Bytes, media: &'static str) -> Reply {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn json(value: &impl Serialize) -> Reply {
    typed(serde_json::to_vec(value).expect("it is JSON").into(), "application/json")
}

fn status(status: StatusCode) -> Reply {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn problem() -> Reply {
    let mut response = typed(Bytes::from_static(PROBLEM.as_bytes()), PROBLEM_TYPE);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

async fn answer(request: Request<Incoming>) -> Result<Reply, Infallible> {
    let path = request.uri().path();
    Ok(match (request.method(), path) {
        (&Method::GET, "/plaintext") => {
            typed(Bytes::from_static(HELLO.as_bytes()), "text/plain; charset=utf-8")
        }
        (&Method::GET, "/json") => json(&Message { message: HELLO }),
        (&Method::POST, "/echo") => {
            let Ok(body) = request.into_body().collect().await else {
                return Ok(status(StatusCode::BAD_REQUEST));
            };
            match serde_json::from_slice::<Account>(&body.to_bytes()) {
                Ok(account) if account.validate().is_ok() => json(&account),
                _ => problem(),
            }
        }
        (&Method::GET, path) => match path.strip_prefix("/users/").and_then(|id| id.parse().ok()) {
            Some(id) => json(&User { id, name: "Ann" }),
            None => status(StatusCode::NOT_FOUND),
        },
        _ => status(StatusCode::NOT_FOUND),
    })
}

fn main() {
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind(address()).await.expect("the address is free");
        let accept = async {
            loop {
                let (socket, _) = listener.accept().await.expect("accept works");
                socket.set_nodelay(true).expect("it is TCP");
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .pipeline_flush(true)
                        .serve_connection(TokioIo::new(socket), hyper::service::service_fn(answer)),
                );
            }
        };
        tokio::select! {
            () = accept => {}
            () = stop() => {}
        }
    });
}
