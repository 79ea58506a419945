//! arcly-http with two gateways: `/echo` sends a message back, `/room` sends it to
//! everybody.

use arcly_benches::{address, runtime, stop};
use arcly_http::prelude::*;
use arcly_http::realtime::{RealtimeModule, WsTuning};
use arcly_http::web::app::LaunchConfig;
use arcly_http::web::serve::{self, Address, Listener, Stopping};

#[derive(Injectable)]
struct Echo;

#[gateway("/echo", codec = raw, tuning = unlimited)]
impl Echo {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[message]
    #[public]
    fn echo(&self, client: &WsClient, message: WsMessage) -> Result<(), Problem> {
        client.send(&message)
    }
}

#[derive(Injectable)]
struct Everybody {
    hub: Inject<Hub>,
}

#[gateway("/room", codec = raw, tuning = unlimited)]
impl Everybody {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[message]
    #[public]
    fn publish(&self, message: WsMessage) -> Result<(), Problem> {
        self.hub.all::<Everybody>().send(&message)
    }
}

/// Benchmarks come from one address, as fast as they can.
fn unlimited(mut tuning: WsTuning) -> WsTuning {
    tuning.messages_per_second = 0;
    tuning.address_connections = 0;
    tuning
}

#[module(root, imports(RealtimeModule), gateways(Echo, Everybody))]
struct AppModule;

fn configure(config: &mut LaunchConfig) {
    // It is watched as ever; valgrind makes all work late.
    config.delay_max = Some(std::time::Duration::from_secs(5));
}

fn main() {
    runtime().block_on(async {
        let app = App::new::<AppModule>().configure(configure);
        let launched = app.launch().await.expect("it launches");
        let listener = Listener::bind(&Address::Tcp(address())).await.expect("the address is free");
        serve::serve(&launched, vec![listener], Stopping::when(stop())).await;
    });
}
