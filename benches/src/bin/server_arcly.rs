//! arcly-http, as an application ships it; with `lean` after the address, without the
//! stages that can be switched off; with `keep-alive=SECONDS`, other than by default.

use std::time::Duration;

use arcly_benches::{Account, HELLO, Message, User, address, runtime, stop};
use arcly_http::prelude::*;
use arcly_http::web::app::LaunchConfig;
use arcly_http::web::serve::{self, Address, Listener, Stopping};

#[derive(Injectable)]
struct Greeter {
    #[inject(default = HELLO)]
    word: &'static str,
}

#[derive(Injectable)]
struct Controller {
    greeter: Inject<Greeter>,
}

#[controller]
impl Controller {
    #[get("/plaintext")]
    #[public]
    fn plaintext(&self) -> &'static str {
        self.greeter.word
    }

    #[get("/json")]
    #[public]
    fn json(&self) -> Json<Message> {
        Json(Message { message: self.greeter.word })
    }

    /// The same, by a handler that may wait.
    #[get("/json-async")]
    #[public]
    async fn json_async(&self) -> Json<Message> {
        Json(Message { message: self.greeter.word })
    }

    /// A handler that takes its provider as an argument.
    #[get("/json-inject")]
    #[public]
    fn json_inject(&self, greeter: Inject<Greeter>) -> Json<Message> {
        Json(Message { message: greeter.word })
    }

    #[get("/users/{id}")]
    #[public]
    fn user(&self, id: Path<u64>) -> Json<User> {
        Json(User { id: *id, name: "Ann" })
    }

    #[post("/echo")]
    #[public]
    async fn echo(&self, account: Valid<Json<Account>>) -> Json<Account> {
        Json(account.into_inner())
    }
}

#[module(root, providers(Greeter), controllers(Controller))]
struct AppModule;

fn configure(config: &mut LaunchConfig) {
    // It is watched as ever; valgrind makes all work late.
    config.delay_max = Some(Duration::from_secs(5));
    for argument in std::env::args().skip(2) {
        match argument.split_once('=') {
            Some(("keep-alive", seconds)) => {
                config.keep_alive = Duration::from_secs(seconds.parse().expect("a number"));
            }
            None if argument == "lean" => {
                config.deadline = None;
                config.in_flight_max = None;
                config.adaptive = None;
                config.delay_max = None;
                config.security_headers.clear();
                config.csrf = false;
                config.docs = false;
            }
            _ => panic!("what is `{argument}`?"),
        }
    }
}

fn main() {
    runtime().block_on(async {
        let app = App::new::<AppModule>().configure(configure);
        let launched = app.launch().await.expect("it launches");
        let listener = Listener::bind(&Address::Tcp(address())).await.expect("the address is free");
        serve::serve(&launched, vec![listener], Stopping::when(stop())).await;
    });
}
