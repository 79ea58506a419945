use arcly_http::prelude::*;

#[injectable]
trait Mailer {}

#[derive(Injectable)]
struct Smtp {}

impl Mailer for Smtp {}

#[derive(Injectable)]
struct Users {
    mailer: Inject<dyn Mailer>,
    clock: Inject<dyn Clock>,
}

#[controller("/users")]
impl Users {
    #[get("/")]
    #[public]
    fn list(&self) {
        let _ = (&self.mailer, &self.clock);
    }
}

#[module(root, providers(Smtp), controllers(Users))]
struct AppModule;

fn main() {}
