//! An id names one operation of the document.

use arcly_http::prelude::*;

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[get("/", operation_id = "list")]
    #[public]
    fn list(&self) {}
}

#[derive(Injectable)]
struct Invoices;

#[controller("/invoices")]
impl Invoices {
    #[get("/", operation_id = "list")]
    #[public]
    fn list(&self) {}
}

#[module(root, controllers(Orders, Invoices))]
struct TwiceModule;

#[tokio::test]
async fn an_id_that_two_operations_have_does_not_launch() {
    let error = App::new::<TwiceModule>().launch().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "route GET /invoices: its operation id `list` is that of GET /orders as well; \
         write `operation_id = \"..\"` on one of them"
    );
}
