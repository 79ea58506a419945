use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/{id}")]
    #[public]
    async fn show(&self, id: Path<u64>, name: Path<String>) -> Json<u64> {
        let _ = name;
        Json(*id)
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
