use arcly_http::prelude::*;

#[derive(Injectable)]
#[inject(scope = sesion)]
struct Scoped;

#[derive(Config)]
struct Keys {
    #[config(secret, default = "changeme")]
    key: String,
}

#[derive(Injectable)]
struct Users;

#[controller("users")]
impl Users {
    #[get("list")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/:id")]
    #[public]
    fn show(&self, id: Path<u32>) -> Json<u32> {
        Json(*id)
    }

    #[post("/", body_limit = "2 megabytes")]
    #[public]
    fn add(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/slow", deadline = "soon")]
    #[public]
    fn slow(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/never", deadline = "0s")]
    #[public]
    fn never(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/rate", rate_limit("100 a minute", per = address))]
    #[public]
    fn rate(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/per", rate_limit("100/min", per = adress))]
    #[public]
    fn per(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/anybody", rate_limit("100/min"))]
    #[public]
    fn anybody(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/cost", rate_cost = 0)]
    #[public]
    fn cost(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/cors", cors = "https://shop.example")]
    #[public]
    fn cors(&self) -> Json<u32> {
        Json(1)
    }

    #[post("/csrf", csrf = off)]
    #[public]
    fn csrf(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/compress", compress = false)]
    #[public]
    fn compress(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/headers", security_headers = "x-frame-options")]
    #[public]
    fn headers(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/twice", deadline = "1s", deadline = None)]
    #[public]
    fn twice(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/old", deprecated = "yesterday")]
    #[public]
    fn old() -> Json<u32> {
        Json(1)
    }
}

fn main() {}
