use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users {
    socket: Inject<std::net::TcpListener>,
}

fn main() {}
