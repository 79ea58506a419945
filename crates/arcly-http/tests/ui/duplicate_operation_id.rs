use arcly_http::prelude::*;

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[get("/", operation_id = "list")]
    #[public]
    fn list(&self) {}

    #[get("/open")]
    #[public]
    fn list_open(&self) {}
}

#[derive(Injectable)]
struct OrdersController;

#[controller("/invoices")]
impl OrdersController {
    #[get("/", operation_id = "list")]
    #[public]
    fn list(&self) {}

    /// Is called `ordersListOpen`, as that of the other one.
    #[get("/open")]
    #[public]
    fn list_open(&self) {}
}

#[module(root, controllers(Orders, OrdersController))]
struct AppModule;

fn main() {}
