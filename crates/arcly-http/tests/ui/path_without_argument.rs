use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/{id}/{part}")]
    #[public]
    fn part(&self, id: Path<u32>) -> Json<u32> {
        Json(*id)
    }

    #[get("/{name}")]
    #[public]
    fn show(&self, nmae: Path<String>) -> String {
        nmae.0
    }
}

#[module(root, controllers(Users))]
struct AppModule;

fn main() {}
