//! A gateway without the module that it needs, one that is listed nowhere, and two that
//! have one path.

use arcly_http::prelude::*;

#[derive(Injectable)]
struct Live;

#[gateway("/live")]
impl Live {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[authenticated]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Again;

#[gateway("/live")]
impl Again {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct Forgotten;

#[gateway("/forgotten")]
impl Forgotten {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

#[derive(Injectable)]
struct News {
    hub: Inject<Hub>,
}

impl News {
    fn tell(&self) -> usize {
        self.hub.all::<Live>().count()
    }
}

#[derive(Injectable)]
struct Teller {
    news: Inject<News>,
}

#[controller("/news")]
impl Teller {
    #[get("/")]
    #[public]
    fn tell(&self) -> String {
        self.news.tell().to_string()
    }

    #[subscribe("nothing")]
    #[public]
    fn listen(&self) {}
}

#[module(root, providers(News), gateways(Live, Again), controllers(Teller))]
struct AppModule;

fn main() {}
