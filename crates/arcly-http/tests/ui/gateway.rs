//! Mistakes in a gateway.

use arcly_http::prelude::*;
use arcly_http::realtime::RealtimeModule;

#[derive(Injectable)]
struct Nobody;

#[gateway("/nobody")]
impl Nobody {
    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Silent;

#[gateway("/silent")]
impl Silent {
    #[on_connect]
    #[public]
    fn connect(&self) {}
}

#[derive(Injectable)]
struct Faulty;

#[gateway("faulty", body_limit = "1KiB")]
impl Faulty {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Slashless;

#[gateway("slashless")]
impl Slashless {
    #[on_connect]
    #[public]
    fn connect(&self, first: Json<String>) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Events;

#[gateway("/events")]
impl Events {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("no.rule")]
    fn no_rule(&self) {}

    #[subscribe("twice")]
    #[public]
    fn once(&self) {}

    #[subscribe("twice")]
    #[public]
    fn again(&self) {}

    #[subscribe]
    #[public]
    fn nameless(&self) {}

    #[subscribe("with space")]
    #[public]
    fn spaced(&self) {}

    #[subscribe("session.mine")]
    #[public]
    fn reserved(&self) {}

    #[subscribe("cached", cors = pages)]
    #[public]
    fn cached(&self) {}

    #[subscribe("path")]
    #[public]
    fn path(&self, id: Path<u64>) {}

    #[subscribe("form")]
    #[public]
    fn form(&self, form: Form<std::collections::HashMap<String, String>>) {}

    #[message]
    #[public]
    fn message(&self) {}

    #[on_disconnect]
    async fn gone(&self, client: WsClient) -> bool {
        true
    }

    #[public]
    fn plain(&self) {}

    #[subscribe("get")]
    #[get("/x")]
    #[public]
    fn both(&self) {}
}

#[derive(Injectable)]
struct Raw;

#[gateway("/raw", codec = raw)]
impl Raw {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("named")]
    #[public]
    fn named(&self) {}
}

#[derive(Injectable)]
struct Strays;

#[controller("/strays")]
impl Strays {
    #[get("/")]
    #[public]
    fn list(&self, client: &WsClient) {}
}

impl Strays {
    #[subscribe("x")]
    fn stray(&self) {}
}

#[module(
    root,
    imports(RealtimeModule),
    gateways(Nobody, Silent, Faulty, Slashless, Events, Raw),
    controllers(Strays)
)]
struct AppModule;

fn main() {}
