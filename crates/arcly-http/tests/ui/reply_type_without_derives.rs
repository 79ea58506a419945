use arcly_http::prelude::*;

struct Bare;

#[derive(serde::Serialize)]
struct Written {
    name: String,
}

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/bare")]
    #[public]
    fn bare(&self) -> Json<Bare> {
        Json(Bare)
    }

    #[get("/written")]
    #[public]
    async fn written(&self) -> Result<Created<Json<Written>>, Problem> {
        Err(Problem::internal("none"))
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
