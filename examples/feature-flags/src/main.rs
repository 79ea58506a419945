//! An application with the plugin. Try:
//!
//! ```sh
//! cargo run -p feature-flags -- --flags-on dark-mode   # http://127.0.0.1:3000/flags
//! cargo run -p feature-flags -- flags list --flags-on dark-mode
//! ```

use arcly_http::prelude::*;
use feature_flags::{FlagModule, Flags};

#[derive(Injectable)]
struct Greeter {
    flags: Inject<Flags>,
}

#[controller]
impl Greeter {
    /// Greets, in the way that a flag says.
    #[get("/")]
    #[public]
    fn greet(&self) -> &'static str {
        if self.flags.is_on("formal") { "Good day" } else { "Hi" }
    }
}

#[module(root, plugins(FlagModule), controllers(Greeter))]
struct AppModule;

#[arcly_http::main(AppModule)]
fn main() {}
