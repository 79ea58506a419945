use arcly_http::prelude::*;

struct Wrong;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self) -> Wrong {
        Wrong
    }

    #[get("/{id}")]
    #[public]
    async fn show(&self, id: Path<u32>) -> Result<Wrong, Problem> {
        let _ = id;
        Ok(Wrong)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
