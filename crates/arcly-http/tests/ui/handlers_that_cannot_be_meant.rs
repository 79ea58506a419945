use arcly_http::prelude::*;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct One {
    a: u32,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Two {
    b: u32,
}

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[get("/queries")]
    #[public]
    fn queries(&self, one: Query<One>, two: Query<Two>) {
        let _ = (one, two);
    }

    #[get("/body")]
    #[public]
    async fn body(&self, one: Json<One>) {
        let _ = one;
    }

    #[get("/{id}/")]
    #[public]
    fn slash(&self, id: Path<u32>) {
        let _ = id;
    }

    #[get("/{id:u64}")]
    #[public]
    fn typed(&self, id: Path<u32>) {
        let _ = id;
    }

    #[get("/{order-id}")]
    #[public]
    fn dashed(&self, order_id: Path<u32>) {
        let _ = order_id;
    }

    #[get("/valid/{id}")]
    #[public]
    fn valid(&self, id: Valid<Path<u32>>) {
        let _ = id;
    }

    #[get("/header")]
    #[public]
    fn header(&self, trace: Header<Option<String>>, #[name("x trace")] other: Header<String>) {
        let _ = (trace, other);
    }

    #[get("/named")]
    #[public]
    fn named(&self, #[name("q")] one: Query<One>) {
        let _ = one;
    }

    #[post("/inside-out")]
    #[public]
    async fn inside_out(&self, one: Json<Valid<One>>) {
        let _ = one;
    }

    #[get("/generic")]
    #[public]
    fn generic<T: Default>(&self) {
        let _ = T::default();
    }

    #[get("/first", operation_id = "list")]
    #[public]
    fn first(&self) {}

    #[get("/second", operation_id = "list")]
    #[public]
    fn second(&self) {}

    #[get("/third", version = "")]
    #[public]
    fn third(&self) -> String {
        // A link to a route that has a fault is no second mistake.
        Self::slash_url(&1)
    }

    #[cfg_attr(test, get("/hidden"), public)]
    fn hidden(&self) {}
}

#[derive(Injectable)]
struct Empty;

#[controller("/empty")]
impl Empty {}

#[module(root, controllers(Orders, Empty))]
struct AppModule;

fn main() {}
