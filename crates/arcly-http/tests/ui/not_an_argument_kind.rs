use arcly_http::prelude::*;

struct Wrong;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self, wrong: Wrong) -> Json<u32> {
        let _ = wrong;
        Json(1)
    }

    #[get("/{id}")]
    #[public]
    async fn show(&self, first: Vec<u8>, id: Path<u32>, second: &Wrong) -> Json<u32> {
        let _ = (first, second);
        Json(*id)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
