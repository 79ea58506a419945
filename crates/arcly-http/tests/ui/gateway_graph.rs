//! A gateway without the module that it needs, and one that is listed nowhere.

use arcly_http::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Injectable)]
struct Live;

#[gateway("/live")]
impl Live {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Forgotten;

#[gateway("/forgotten")]
impl Forgotten {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("news")]
struct News;

#[derive(Serialize, JsonSchema)]
struct Unnamed;

#[derive(Room)]
#[room(gateway = Live, public)]
struct Tag(String);

#[derive(Room)]
#[room(gateway = Live)]
struct Ruleless;

#[derive(Room)]
#[room(gateway = Plain, public)]
struct Elsewhere;

#[derive(Injectable)]
struct Plain;

fn publish(hub: &Hub) -> Result<(), Problem> {
    hub.to(&Tag("a".into())).emit(&News)?;
    hub.to(&Tag("a".into())).emit(&Unnamed)?;
    hub.to(&"a").emit(&News)
}

#[module(root, providers(Plain), gateways(Live, Plain))]
struct AppModule;

fn main() {}
