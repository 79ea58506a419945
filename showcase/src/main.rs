//! Conduit, the RealWorld API, on arcly-http. `cargo run` serves it.

use arcly_http::App;
use showcase::AppModule;

#[arcly_http::main(AppModule)]
fn main(app: App) -> App {
    showcase::describe(app)
}
