//! Settings that are given twice: the second would take the place of the first, which may be
//! a guard.

use arcly_http::prelude::*;
use arcly_http::realtime::RealtimeModule;

#[derive(Injectable)]
struct Doors;

#[controller("/doors", guards(Deny), guards(Allow))]
impl Doors {
    #[get("/")]
    #[public]
    fn open(&self) {}
}

#[derive(Injectable)]
struct Walls;

#[controller("/walls")]
impl Walls {
    #[get("/one", guards(Deny), guards(Allow))]
    #[public]
    fn one(&self) {}

    #[get("/two", tags("a"), tags("b"))]
    #[public]
    fn two(&self) {}

    #[get("/three", guards())]
    #[public]
    fn three(&self) {}
}

#[derive(schemars::JsonSchema, serde::Serialize, ServerEvent)]
#[server_event("added")]
struct Added;

#[derive(schemars::JsonSchema, serde::Serialize, ServerEvent)]
#[server_event("added")]
struct Twin;

#[derive(Injectable)]
struct Live;

#[gateway("/live", emits(Added), emits(Twin))]
impl Live {
    #[on_connect]
    #[public]
    fn connect(&self) {}
}

#[derive(Injectable)]
struct Both;

#[gateway("/both", emits(Added, Twin))]
impl Both {
    #[on_connect]
    #[public]
    fn connect(&self) {}
}

#[derive(Injectable)]
struct Words;

#[gateway("/words")]
impl Words {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("twice", guards(Deny), guards(Allow))]
    #[public]
    fn twice(&self) {}

    #[subscribe("text")]
    #[public]
    fn text(&self) -> Result<String, Problem> {
        Ok(String::new())
    }

    #[get("/route")]
    #[authenticated]
    fn route(&self) {}

    #[on_open]
    fn opened(&self) {}
}

#[module(
    root,
    imports(RealtimeModule),
    controllers(Doors, Walls),
    gateways(Live, Both, Words)
)]
struct AppModule;

fn main() {}
