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

    #[post("/plain")]
    #[public]
    async fn plain(&self, order: Json<Plain>) -> String {
        order.0.name
    }
}

#[module(root, controllers(Orders))]
struct AppModule;

fn main() {}
