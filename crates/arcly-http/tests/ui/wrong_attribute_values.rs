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
