use arcly_http::prelude::*;
use arcly_http::web::reply::TextStream;

#[derive(Injectable)]
struct Articles;

#[controller("/articles")]
impl Articles {
    #[post("/", cache("30s"))]
    #[public]
    fn write(&self) -> Json<u32> {
        Json(1)
    }

    #[get("/stream", cache("30s"))]
    #[public]
    fn stream(&self) -> Result<TextStream, Problem> {
        unreachable!()
    }

    #[get("/none", cache("30s"))]
    #[public]
    fn none(&self) -> NoContent {
        NoContent
    }
}

#[derive(Injectable)]
struct Others;

#[controller("/others", cache("30s"))]
impl Others {
    #[get("/")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(1)
    }
}

#[module(root, controllers(Articles))]
struct AppModule;

fn main() {}
