use arcly_http::prelude::*;

#[derive(Injectable)]
struct Clerk;

#[provider]
fn books() -> Books {
    Books
}

#[derive(Token)]
struct Books;

#[provider]
fn other_books() -> Books {
    Books
}

#[derive(Injectable)]
struct Orders;

#[controller("/orders")]
impl Orders {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[module(providers(Clerk, books, Invoices), controllers(Orders))]
struct StaffModule;

#[module(
    root,
    imports(StaffModule),
    providers(Clerk, Again, Again, Both, other_books),
    controllers(Both, Invoices, Orders)
)]
struct AppModule;

#[derive(Injectable)]
struct Again;

#[derive(Injectable)]
struct Both;

#[controller("/both")]
impl Both {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

#[derive(Injectable)]
struct Invoices;

#[controller("/invoices")]
impl Invoices {
    #[get("/")]
    #[public]
    fn list(&self) {}
}

fn main() {}
