//! What operations are called in the document.

use arcly_http::prelude::*;

#[derive(Injectable)]
struct OrderController;

#[controller("/orders")]
impl OrderController {
    #[get("/", operation_id = "list")]
    #[public]
    fn list(&self) {}

    #[get("/open", version = "1.2")]
    #[public]
    fn list_open(&self) {}
}

#[derive(Injectable)]
struct Invoices;

#[controller("/invoices")]
impl Invoices {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[module(root, controllers(OrderController, Invoices))]
struct AppModule;

#[test]
fn an_id_is_what_the_route_says_or_made_of_its_names() {
    let document = App::new::<AppModule>().openapi();
    let id = |path: &str| document["paths"][path]["get"]["operationId"].clone();
    assert_eq!(id("/orders"), "list");
    assert_eq!(id("/v1.2/orders/open"), "orderListOpenV1_2", "{document}");
    assert_eq!(id("/invoices"), "invoicesList");
}
