use arcly_http::prelude::*;

#[derive(Debug, Problem)]
enum OrderError {
    #[problem(status = 404)]
    NotFound,
    #[problem(status = 409)]
    Closed,
    #[problem(internal)]
    Broken,
}

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[get("/")]
    #[public]
    fn list(&self) -> Result<String, OrderError> {
        Err(OrderError::NotFound)
    }
}

#[module(root, controllers(Orders))]
struct AppModule;

fn main() {}
