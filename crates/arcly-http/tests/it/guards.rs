//! Guards that stand in several attributes of one place.

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http_testing::TestApp;

#[derive(Injectable)]
struct Deny;

impl Guard for Deny {
    fn describe(operation: &mut Operation) {
        operation.problem(&kinds::FORBIDDEN);
    }

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        Err(Problem::of(&kinds::FORBIDDEN))
    }
}

#[derive(Injectable)]
struct Allow;

impl Guard for Allow {
    fn describe(_operation: &mut Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Injectable)]
struct Doors;

#[controller("/doors")]
#[guards(Allow)]
impl Doors {
    #[get("/one")]
    #[public]
    #[guards(Deny)]
    #[guards(Allow)]
    fn one(&self) {}

    #[get("/two", guards(Deny))]
    #[public]
    #[guards(Allow)]
    fn two(&self) {}

    #[get("/three", guards(Allow))]
    #[public]
    #[guards(Deny)]
    fn three(&self) {}

    #[get("/open")]
    #[public]
    #[guards(Allow)]
    #[guards(Allow)]
    fn open(&self) {}
}

#[derive(Injectable)]
struct Walls;

#[controller("/walls")]
#[guards(Deny)]
#[guards(Allow)]
impl Walls {
    #[get("/")]
    #[public]
    fn wall(&self) {}
}

#[module(root, providers(Deny, Allow), controllers(Doors, Walls))]
struct DoorModule;

#[tokio::test]
async fn none_takes_the_place_of_another() {
    let app = TestApp::builder::<DoorModule>().launch().await.unwrap();
    for path in ["/doors/one", "/doors/two", "/doors/three", "/walls"] {
        app.get(path).send().await.expect(403);
    }
    app.get("/doors/open").send().await.expect(204);
    app.finish().await;
}
