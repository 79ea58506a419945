use arcly_http::prelude::*;

#[derive(Injectable)]
struct Files;

#[controller("/files")]
impl Files {
    #[get("/{*path}")]
    #[public]
    fn all(&self, path: Path<String>) -> String {
        path.0
    }

    #[get("/{id}")]
    #[public]
    fn one(&self, id: Path<u32>) -> Json<u32> {
        Json(*id)
    }
}

#[module(root, controllers(Files))]
struct AppModule;

fn main() {}
