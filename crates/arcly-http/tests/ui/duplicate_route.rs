use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[controller("/users")]
impl Users {
    #[get("/{id}/orders")]
    #[public]
    fn orders(&self, id: Path<u32>) -> Json<u32> {
        Json(*id)
    }
}

#[derive(Injectable)]
struct Orders;

#[controller("/")]
impl Orders {
    #[get("/users/{user}/orders")]
    #[public]
    fn of_user(&self, user: Path<u32>) -> Json<u32> {
        Json(*user)
    }
}

#[module(root, controllers(Users, Orders))]
struct AppModule;

fn main() {}
