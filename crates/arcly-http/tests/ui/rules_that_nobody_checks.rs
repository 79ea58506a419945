use arcly_http::prelude::*;

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate, Input)]
struct NewOrder {
    #[garde(length(chars, min = 1))]
    name: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Plain {
    name: String,
}

/// Most pieces of an order.
struct Stock(usize);

/// `Valid` cannot check it: that takes a stock, which the handler has.
#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[garde(context(Stock))]
struct Large {
    #[garde(custom(is_there))]
    pieces: usize,
}

fn is_there(pieces: &usize, stock: &Stock) -> garde::Result {
    if *pieces <= stock.0 { Ok(()) } else { Err(garde::Error::new("not in stock")) }
}

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[post("/")]
    #[public]
    async fn create(&self, order: Json<NewOrder>) -> String {
        order.0.name
    }

    #[get("/")]
    #[public]
    fn list(&self, filter: Query<NewOrder>) {
        let _ = filter;
    }

    #[post("/checked")]
    #[public]
    async fn checked(&self, order: Valid<Json<NewOrder>>) -> String {
        order.into_inner().name
    }

    #[post("/large")]
    #[public]
    async fn large(&self, order: Json<Large>) -> String {
        let checked = garde::Validate::validate_with(&order.0, &Stock(5));
        checked.map_or_else(|report| report.to_string(), |()| order.0.pieces.to_string())
    }

    #[post("/plain")]
    #[public]
    async fn plain(&self, order: Json<Plain>) -> String {
        order.0.name
    }
}

#[module(root, controllers(Orders))]
struct AppModule;

fn main() {}
