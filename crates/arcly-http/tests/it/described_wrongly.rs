//! What a type of the user says in the document, and no document can.

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::Problem;
use arcly_http::web::{Body, Response};

struct Page;

impl Reply for Page {
    fn describe(operation: &mut Operation) {
        operation.reply::<String>(2000, "json");
        operation.reply_header::<String>(200, "X-Total", "How many there are.");
        operation.extension("page", true.into());
    }

    fn reply(self, _: &Head) -> Result<Response, Problem> {
        Ok(Response::new(Body::empty()))
    }
}

#[derive(Injectable)]
struct Tenants;

impl Guard for Tenants {
    fn describe(operation: &mut Operation) {
        operation.header::<String>("x tenant", true);
    }

    async fn check(&self, _: &Head) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Injectable)]
struct Pages;

#[controller("/pages")]
#[guards(Tenants)]
impl Pages {
    #[get("/")]
    #[public]
    fn list(&self) -> Page {
        Page
    }
}

#[module(root, providers(Tenants), controllers(Pages))]
struct AppModule;

#[tokio::test]
async fn what_no_document_can_say_does_not_launch() {
    let error = App::new::<AppModule>().launch().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "route GET /pages: the document describes an answer of status 2000, which is none: \
         100 to 599; the document describes a body of type `json`, which is none: \
         `application/json`; the document describes a header `X-Total`: write it in lower \
         case, as responses have it; the document has an extension `page`: write `x-page`; \
         the document describes a header `x tenant`, which is no name: letters, digits and `-`"
    );
}
