use arcly_http::prelude::*;

#[derive(Clone, Copy, Action)]
enum Orders {
    #[action(role = "clerk")]
    Read,
    Ship,
    #[action()]
    Cancel,
}

#[derive(Injectable)]
struct OrderController;

#[controller("/orders")]
impl OrderController {
    #[get("/")]
    #[authenticated(role = "clerk")]
    fn list(&self) {}

    #[get("/open")]
    #[public(true)]
    fn open(&self) {}

    #[get("/all")]
    #[authenticated = "clerk"]
    fn all(&self) {}
}

#[module(root, actions(Orders), controllers(OrderController))]
struct AppModule;

fn main() {}
