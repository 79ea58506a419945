//! Attributes and derives of arcly-http.
//!
//! Each macro is one line here over `parse`, `validate` and `expand` in a
//! folder of its own. Expansions name one hidden module of the façade,
//! `::arcly_http::__rt`, and nothing else; each is sugar over public traits
//! that can be implemented by hand.

use proc_macro::TokenStream;

mod controller;
mod derive;
mod gateway;
mod launch;
mod module;
mod provider;
mod stray;
mod support;

/// Makes a struct a provider whose fields are its dependencies.
///
/// ```
/// # use std::sync::Mutex;
/// # use arcly_http::prelude::*;
/// # #[injectable] trait Mailer {}
/// # #[derive(Config)] struct ShopConfig { #[config(default = "100")] lines_max: usize }
/// #[derive(Injectable)]
/// struct Orders {
///     mailer: Inject<dyn Mailer>,       // or Lazy<..>, All<dyn ..>, Option<Inject<..>>
///     #[inject(config = ShopConfig.lines_max)]
///     lines_max: usize,
///     #[inject(default)]
///     last: Mutex<u64>,
/// }
/// ```
///
/// On the struct: `#[inject(scope = request)]` or `#[inject(scope = transient)]`
/// (default: one instance for the application). On a field that is not a
/// dependency: `#[inject(default)]`, `#[inject(default = expression)]` or
/// `#[inject(config = Section.field)]`.
///
/// A module lists it: `providers(Orders)`, or `providers(Smtp as dyn Mailer)` for
/// those who inject the trait.
#[proc_macro_derive(Injectable, attributes(inject))]
pub fn derive_injectable(input: TokenStream) -> TokenStream {
    support::derive(input, derive::injectable::expand)
}

/// Gives a type a name in the graph, so that it can stand as a generic argument
/// of an injectable type.
#[proc_macro_derive(Token)]
pub fn derive_token(input: TokenStream) -> TokenStream {
    support::derive(input, derive::token::expand)
}

/// Makes a marker that tells providers of one type apart.
///
/// ```
/// # use std::net::IpAddr;
/// # use arcly_http::prelude::*;
/// #[derive(Qualifier)]
/// #[qualifier(IpAddr)]                  // of another crate
/// struct Billing;
///
/// #[provider(qualifier = Billing)]
/// fn billing_server() -> IpAddr { [192, 0, 2, 7].into() }
///
/// #[derive(Injectable)]
/// struct Invoices { server: Inject<IpAddr, Billing> }
///
/// #[module(root, providers(billing_server, Invoices))]
/// struct InvoiceModule;
/// ```
///
/// `#[qualifier(Type, ..)]` names the types it qualifies, which may be of other
/// crates; without it, the marker qualifies every type that the graph can name.
#[proc_macro_derive(Qualifier, attributes(qualifier))]
pub fn derive_qualifier(input: TokenStream) -> TokenStream {
    support::derive(input, derive::qualifier::expand)
}

/// Declares actions for `#[can(..)]`.
///
/// ```
/// # use arcly_http::prelude::*;
/// #[derive(Clone, Copy, Action)]
/// enum Article {
///     #[action(role = "editor", role = "admin", scope = "articles:write")]
///     Publish,
/// }
///
/// # #[derive(Injectable)] struct Articles;
/// #[controller("/articles")]
/// impl Articles {
///     #[post("/")]
///     #[can(Article::Publish)]
///     async fn publish(&self) {}
/// }
///
/// # #[allow(dead_code)]
/// #[module(actions(Article), controllers(Articles))]
/// pub struct ArticleModule;
/// ```
///
/// `#[action(role = "editor", scope = "articles:write")]` on a variant: one of
/// the roles and all of the scopes are needed. Both may be repeated; a variant has one of
/// them at least.
#[proc_macro_derive(Action, attributes(action))]
pub fn derive_action(input: TokenStream) -> TokenStream {
    support::derive(input, derive::action::expand)
}

/// Makes an error answerable as a problem (RFC 9457): a handler may return
/// `Result<.., ThisError>`, and the document lists what it can come to.
///
/// ```
/// # use arcly_http::prelude::*;
/// #[derive(Debug, thiserror::Error, Problem)]
/// enum OrderError {
///     #[error("there is no such order")]
///     #[problem(status = 404)]
///     NotFound,
///     #[error("an order has {max} lines at most")]
///     #[problem(status = 409)]
///     TooLong { #[problem(member)] max: usize },
///     #[error("the order cannot be stored")]
///     #[problem(internal)]
///     Store(#[source] std::io::Error),
/// }
/// ```
///
/// Each variant says how: `#[problem(status = 409)]`, with `code`, `type` and
/// `title` where the defaults do not fit; `#[problem(internal)]` for a fault
/// that only the log may read; `#[problem(transparent)]` to let the inner
/// error answer. The code is the variant in snake case (`not_found`). A field with `#[problem(member)]` becomes an extension member
/// of the body. The `Display` of the error becomes the detail.
#[proc_macro_derive(Problem, attributes(problem))]
pub fn derive_problem(item: TokenStream) -> TokenStream {
    derive::problem::derive(item.into()).into()
}

/// Makes a struct a section of the configuration, and a provider.
///
/// ```
/// # use arcly_http::{config::Secret, prelude::*};
/// #[derive(Config)]
/// #[config(section = "shop")]
/// struct ShopConfig {
///     /// Most lines of one order; `--help` shows this.
///     #[config(default = "100")]        // a text, as the environment has it
///     lines_max: usize,
///     #[config(secret)]
///     signing_secret: Secret,
/// }
/// ```
///
/// A module lists it (`providers(ShopConfig)`), others take `Inject<ShopConfig>`.
/// The keys are `shop.lines_max` in the file, `SHOP_LINES_MAX` in the environment
/// and `--shop-lines-max` as a flag; without a section, `lines_max` and so on. A
/// field without default has to be set, unless it is an `Option`, a `Vec` or a `bool`.
/// A default that is no value of its type does not compile; where the type is one of your
/// own, the launch says so.
///
/// On the struct: `#[config(section = "server")]`, `#[config(check = function)]`.
/// On a field: `default = "..."`, `env = "..."`, `flag = "..."`, `secret` (never
/// shown), `optional_in_dev` (on an `Option`: has to be set outside profile `dev`).
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(input: TokenStream) -> TokenStream {
    support::derive(input, derive::config::expand)
}

/// Tells validation how the client names the fields of an input type, from its
/// serde attributes. What `Valid<..>` checks derives it, nested types as well:
///
/// ```
/// # use arcly_http::prelude::*;
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// # #[derive(Deserialize, JsonSchema, garde::Validate, Input)]
/// # struct Line { #[garde(range(min = 1))] count: u32 }
/// #[derive(Deserialize, JsonSchema, garde::Validate, Input)]
/// #[serde(rename_all = "camelCase")]
/// struct NewOrder {
///     #[garde(length(chars, min = 1, max = 200))]   // say what is counted
///     customer_name: String,
///     #[garde(dive)]
///     lines: Vec<Line>,
/// }
/// ```
#[proc_macro_derive(Input, attributes(serde, garde))]
pub fn derive_input(input: TokenStream) -> TokenStream {
    support::derive(input, derive::input::expand)
}

/// Makes a trait injectable as `Inject<dyn Trait>`; `#[injectable(many)]` as
/// `All<dyn Trait>`.
///
/// Adds the supertraits `Send + Sync + 'static`. A module says what stands for it:
/// `providers(Smtp as dyn Mailer)`, and `exports(dyn Mailer)` for other modules.
#[proc_macro_attribute]
pub fn injectable(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(
        args,
        item,
        "`#[injectable]` stands on a trait; a struct is made a provider by `#[derive(Injectable)]`",
        provider::injectable_trait,
    )
}

/// Makes a function a factory: its arguments are its dependencies, what it
/// returns (or the `Ok` of it) is provided. It may be async and may fail.
///
/// ```
/// # use std::sync::Arc;
/// # use arcly_http::prelude::*;
/// # #[injectable] trait Mailer {}
/// # #[derive(Config)] struct MailConfig { #[config(default = "mail.example")] server: String }
/// # type MailError = std::io::Error;
/// # struct Smtp;
/// # impl Mailer for Smtp {}
/// # impl Smtp { async fn connect(_: &str) -> Result<Self, MailError> { Ok(Self) } }
/// #[provider]
/// async fn mailer(config: Inject<MailConfig>) -> Result<Arc<dyn Mailer>, MailError> {
///     Ok(Arc::new(Smtp::connect(&config.server).await?))
/// }
/// ```
///
/// A module lists and exports it by its name: `providers(mailer), exports(mailer)`.
/// What it returns derives `Token`, is a `dyn Trait` in an `Arc`, or is told
/// apart by a marker, as types of other crates are:
/// `#[provider(qualifier = Marker, scope = request)]`.
///
/// Lifecycle hooks of what stands behind `Arc<dyn Trait>` would never run. What is put
/// there by `Arc::new(..)` in the body, and has some, does not compile; one that comes
/// from elsewhere as an `Arc` is not seen. Let the factory return the struct itself, which
/// derives `Token`, and list it as `factory as dyn Trait`.
///
/// The compiler alone speaks of two mistakes, because a macro sees neither: a factory
/// without this attribute in `providers(..)` is "expected type, found function", and one
/// within an `impl` block "not supported in `trait`s or `impl`s": it is a free function.
#[proc_macro_attribute]
pub fn provider(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(
        args,
        item,
        "`#[provider]` stands on a function; a struct is made a provider by `#[derive(Injectable)]`",
        provider::factory,
    )
}

/// Makes a struct a module.
///
/// `#[module(root, global, imports(..), plugins(..), reexports(..), providers(..),
/// controllers(..), exports(..), actions(..), prefix = "/api", guards(..),
/// interceptors(..), filters(..), layers(..))]`.
///
/// ```
/// # use std::sync::Arc;
/// # use arcly_http::prelude::*;
/// # #[injectable] trait Mailer {}
/// # #[derive(Injectable)] struct Smtp;
/// # impl Mailer for Smtp {}
/// # #[derive(Token)] struct Books;
/// # #[provider] fn books() -> Books { Books }
/// # #[derive(Injectable)] struct Orders;
/// # #[derive(Injectable)] struct OrderController;
/// # #[controller("/orders")] impl OrderController { #[get("/")] #[public] fn list(&self) {} }
/// # #[derive(Clone, Copy, Action)] enum OrderAction { #[action(role = "clerk")] Ship }
/// # #[module] struct AuditModule;
/// # #[allow(dead_code)]
/// #[module(
///     imports(AuditModule),                        // what it exports may be injected here
///     providers(Orders, Smtp as dyn Mailer, books),
///     controllers(OrderController),
///     exports(Orders, dyn Mailer),
///     actions(OrderAction),
/// )]
/// pub struct OrderModule;
/// ```
///
/// - `root` proves the whole graph below it at `cargo check`.
/// - `global`: every module sees its exports without importing it.
/// - `plugins(..)`: modules that implement `Plugin`; imported, and asked for their page
///   of the console and their commands.
/// - `providers(..)`: structs that derive `Injectable` or `Config`, factories by
///   name, and bindings to traits.
/// - `actions(..)`: the enums whose variants `#[can(..)]` names.
/// - `prefix`, `guards(..)`, `interceptors(..)`, `filters(..)` and `layers(..)` apply
///   to its controllers; on the root, to the whole application.
///
/// Entries may carry `#[cfg(..)]`: `imports(#[cfg(feature = "mail")] MailModule)`; so may
/// the methods of a controller that are routes. A module that nobody imports or launches
/// does not compile, unless it is `pub` in a library, where other crates can reach it; one
/// that only tests launch has `#[cfg(test)]`.
///
/// A module is named by its own name or a path to it. An alias (`type Mail = MailModule;`)
/// is "expected value, found type alias": a module is a type and a static of one name.
///
/// Modules, controllers and routes also say how requests are treated; what an inner
/// level says goes first:
///
/// | setting | what it does |
/// |---|---|
/// | `deadline = "5s"` | gives an operation up after that time (`ms`, `s`, `min`, `h`) and answers 504; `None`: never |
/// | `rate_limit("100/min", per = principal)` | answers 429 to a client that asks more often; all operations below share it. `per` is `address`, `principal` or `tenant`; who has proved nothing counts by address; several limits hold together |
/// | `rate_cost = 5` | a request uses so much of its limits; whether there is one is known at launch, because the configuration may limit all operations |
/// | `cors = function` | pages of the origins that the function's `Cors` names may call it and read the answer; `None`: no page |
/// | `csrf = false` | pages of other origins may cause requests that change things |
/// | `security_headers = function` | the function's `SecurityHeaders` change those of the outer level; `None`: none at all |
/// | `compress = off` | responses are not compressed; `safe`, the default: not those to requests with a cookie; `always`: whatever the request has |
#[proc_macro_attribute]
pub fn module(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute_or_default(
        args,
        item,
        "`#[module(..)]` stands on a unit struct: `pub struct OrderModule;`",
        module::expand,
    )
}

/// Makes the methods of an `impl` block answer HTTP requests.
///
/// `#[controller("/prefix", tags("..."), host = "...", version = "1",
/// guards(..), interceptors(..), filters(..), layers(..))]`. Methods carry one
/// of `#[get("/..")]`, `#[post]`, `#[put]`, `#[patch]`, `#[delete]`, `#[head]`,
/// `#[options]`, `#[trace]` or, for any other method,
/// `#[route("PROPFIND", "/..")]`; and one of `#[public]`, `#[authenticated]`,
/// `#[can(Action::Of)]`.
///
/// Guards and the like may also stand below it: `#[guards(OfficeHours)]`.
///
/// A struct has one such block; the routes of a second one, below another prefix say, are
/// methods of a struct of their own.
///
/// A module lists it in `controllers(..)`. One that no module of its crate lists has no
/// routes and does not compile; `elsewhere` says that only other crates list it, which they
/// can where the struct is `pub` in a library. Whether they do, nobody sees from here.
///
/// Attributes of other frameworks (`#[use_guards(..)]`, `#[get_mapping(..)]`) do not
/// compile, and say what is written here instead; what a path names
/// (`#[tracing::instrument]`) is left alone.
#[proc_macro_attribute]
pub fn controller(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute_or_default(
        args,
        item,
        "`#[controller(..)]` stands on the `impl` block whose methods are the routes; the struct derives `Injectable`",
        controller::expand,
    )
}

/// Makes the methods of an `impl` block answer what sockets send.
///
/// ```
/// # use arcly_http::prelude::*;
/// # use arcly_http::realtime::RealtimeModule;
/// # use schemars::JsonSchema;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Deserialize, JsonSchema)]
/// struct Watch { tag: String }
///
/// #[derive(Serialize, JsonSchema, ServerEvent)]
/// #[server_event("article.published")]
/// struct ArticlePublished { slug: String }
///
/// #[derive(Room)]
/// #[room(gateway = LiveGateway, public)]
/// struct Tag(String);
///
/// #[derive(Injectable)]
/// struct LiveGateway;
///
/// #[gateway("/live", emits(ArticlePublished))]
/// impl LiveGateway {
///     /// Opens a socket.
///     #[on_connect]
///     #[public]
///     async fn connect(&self) {}
///
///     /// Tells of every article with a tag.
///     #[subscribe("tag.watch")]
///     #[public]
///     async fn watch(&self, client: &WsClient, watch: Json<Watch>) -> Result<(), Problem> {
///         client.join(&Tag(watch.0.tag))?;
///         Ok(())
///     }
/// }
///
/// #[derive(Injectable)]
/// struct Articles { hub: Inject<Hub> }
///
/// impl Articles {
///     fn published(&self, slug: &str, tag: &str) -> Result<(), Problem> {
///         self.hub.to(&Tag(tag.into())).emit(&ArticlePublished { slug: slug.into() })
///     }
/// }
///
/// #[module(root, imports(RealtimeModule), providers(Articles), gateways(LiveGateway))]
/// struct AppModule;
/// ```
///
/// A client sends `{"event": "tag.watch", "data": {"tag": "rust"}, "id": 1}` and is answered
/// `{"id": 1, "data": null}`, or `{"id": 1, "error": {..}}` with a problem document; without
/// an `id` it is not answered. It is sent `{"event": "article.published", "data": {..}}`.
///
/// - `#[on_connect]`: runs before the socket is open, under the access rule of the
///   handshake; an error refuses it by its status. Its arguments are those of a `GET`.
/// - `#[subscribe("event")]`: takes an event. Arguments, replies, access rules and errors are
///   those of a route: `Json<..>` is the data of the message, `Caller`, `Header` and the
///   like are those of the handshake, `client: &WsClient` is the socket. Messages of a
///   socket are handled one after the other; `unordered` lets those of an event run beside
///   others. `guards(..)`, `interceptors(..)`, `filters(..)`, `deadline`, `rate_limit(..)`
///   and `rate_cost` stand behind the name.
/// - `#[on_disconnect]`: `async fn gone(&self, client: &WsClient)`, once for each socket that
///   was let in, however it ended.
/// - `emits(..)`: the types of the events that it sends.
/// - `codec = raw`: messages have no envelope; one method, `#[message]`, takes a `WsMessage`.
/// - `tuning = function`: changes limits, `fn function(mut tuning: WsTuning) -> WsTuning`.
/// - What `#[controller]` takes as well: `tags`, `host`, `version`, `elsewhere`, and the
///   stages, which hold for the handshake and, but for layers and what is of HTTP alone,
///   for every message.
///
/// A page of another origin cannot open a socket, unless `cors` allows its origin or
/// `csrf = false`. A module lists the gateway in `gateways(..)`; the graph needs
/// `RealtimeModule`.
#[proc_macro_attribute]
pub fn gateway(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute_or_default(
        args,
        item,
        "`#[gateway(..)]` stands on the `impl` block whose methods take messages; the struct derives `Injectable`",
        gateway::expand,
    )
}

/// Makes a struct a room of a gateway; see [`macro@gateway`].
///
/// `#[room(gateway = LiveGateway, public)]`: whose sockets may be in it, and who may join:
/// `public`, `authenticated` or `can(Article::Read)`. The fields, which are shown by
/// `Display`, tell rooms of one kind apart. With `checked`, `AdmitsTo` decides as well.
#[proc_macro_derive(Room, attributes(room))]
pub fn derive_room(input: TokenStream) -> TokenStream {
    support::derive(input, derive::room::expand)
}

/// Makes a struct an event that gateways send; see [`macro@gateway`].
///
/// `#[server_event("article.published")]` is its name for clients.
#[proc_macro_derive(ServerEvent, attributes(server_event))]
pub fn derive_server_event(input: TokenStream) -> TokenStream {
    support::derive(input, derive::server_event::expand)
}

/// Proves the graph of a module and makes `main` launch it.
///
/// On an empty `fn main() {}`; or on a function that takes
/// `arcly_http::App` and changes it before it runs:
///
/// ```no_run
/// # use arcly_http::prelude::*;
/// # #[module(root)] struct AppModule;
/// #[arcly_http::main(AppModule)]
/// fn main(app: App) -> App {
///     app.info("Shop", "1.0", "Sells things.")
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(
        args,
        item,
        "`#[arcly_http::main(..)]` stands on `fn main() {}`",
        launch::expand,
    )
}

macro_rules! strays {
    ($($(#[doc = $doc:expr])* $name:ident)*) => {$(
        $(#[doc = $doc])*
        ///
        /// Belongs on a method inside a `#[controller]` block; anywhere else it
        /// does not compile, because it would have no effect.
        #[proc_macro_attribute]
        pub fn $name(args: TokenStream, item: TokenStream) -> TokenStream {
            stray::refuse(stringify!($name), args, item)
        }
    )*};
}

strays! {
    /// A route for `GET`: `#[get("/{id}")]`.
    ///
    /// Each `{parameter}` of the path is an argument of that name:
    /// `id: Path<u64>`; `{*rest}` at the end takes what is left. After the path may
    /// follow `operation_id = ".."` (otherwise `OrderController::list` is `orderList` in the
    /// document; no two operations of an application have one id), `tags("..")`,
    /// `version = ".."`,
    /// `deprecated = "2027-01-31T00:00:00Z"`, `sunset = ".."`,
    /// `body_limit = "64KiB"`, `cache("30s")`, `guards(..)`, `interceptors(..)`, `filters(..)` and
    /// `layers(..)`. The doc comment of the method is the operation's text in the
    /// document.
    ///
    /// `cache("30s")` keeps the answers for that long and gives them to others who ask for
    /// the same; `arcly_http::web::cache::Cache` says what is kept, and for whom. With all
    /// that it may have:
    ///
    /// ```
    /// use arcly_http::prelude::*;
    /// use arcly_http::web::security_headers::{Csp, SecurityHeaders, Source};
    ///
    /// #[derive(Injectable)]
    /// struct Articles { cache: Inject<ResponseCache> }
    ///
    /// #[controller("/articles", compress = always)]
    /// impl Articles {
    ///     #[get("/{slug}", cache("30s", vary("accept-language"), tags("article:{slug}"), max_age = "10s"))]
    ///     #[public]
    ///     fn read(&self, slug: Path<String>, accept_language: Option<Header<String>>) -> String {
    ///         format!("{} in {:?}", slug.0, accept_language)
    ///     }
    ///
    ///     #[put("/{slug}")]
    ///     #[public]
    ///     fn change(&self, slug: Path<String>) -> NoContent {
    ///         self.cache.invalidate_tag(&format!("article:{}", slug.0));
    ///         NoContent
    ///     }
    ///
    ///     #[get("/", cache("5min", per = everyone), security_headers = of_pages)]
    ///     #[public]
    ///     fn page(&self) -> arcly_http::web::reply::Html {
    ///         arcly_http::web::reply::Html("<script src=\"list.js\"></script>".into())
    ///     }
    /// }
    ///
    /// fn of_pages() -> SecurityHeaders {
    ///     SecurityHeaders::new().csp(Csp::nothing().scripts([Source::Own]))
    /// }
    ///
    /// #[module(root, controllers(Articles))]
    /// struct AppModule;
    /// ```
    get
    /// A route for `POST`: `#[post("/")]`; see [`macro@get`].
    post
    /// A route for `PUT`: `#[put("/{id}")]`; see [`macro@get`].
    put
    /// A route for `PATCH`: `#[patch("/{id}")]`; see [`macro@get`].
    patch
    /// A route for `DELETE`: `#[delete("/{id}")]`; see [`macro@get`].
    delete
    /// A route for `HEAD`: `#[head("/{id}")]`; see [`macro@get`]. Without one, the
    /// `GET` route answers, and its body is left out.
    head
    /// A route for `OPTIONS`: `#[options("/{id}")]`; see [`macro@get`].
    options
    /// A route for `TRACE`: `#[trace("/")]`; see [`macro@get`].
    trace
    /// A route for any other method: `#[route("PURGE", "/{id}")]`; see
    /// [`macro@get`].
    route
    /// Runs before a socket is open; see [`macro@gateway`].
    on_connect
    /// Runs when a socket is gone; see [`macro@gateway`].
    on_disconnect
    /// Takes an event of a socket: `#[subscribe("tag.watch")]`; see [`macro@gateway`].
    subscribe
    /// Takes the messages of a raw gateway; see [`macro@gateway`].
    message
    /// Anybody may call the operation. `Option<Caller>` is who it is, if somebody.
    public
    /// Whoever proves who they are may call the operation. `Caller` is who it is;
    /// the application needs a `dyn Authenticator`, whose documentation shows how.
    authenticated
    /// Callers with the roles and scopes of an action may call the operation:
    /// `#[can(Article::Publish)]`, a variant of an enum that derives
    /// [`macro@Action`] and stands in `actions(..)` of a module.
    can
    /// Guards of this route, by type: `#[guards(OfficeHours)]`. Each is a provider
    /// that implements `Guard`, listed in `providers(..)`.
    guards
    /// Interceptors of this route, by type, the outermost first. Each is a provider
    /// that implements `Interceptor`, listed in `providers(..)`.
    interceptors
    /// Filters of this route's problems, by type. Each is a provider that
    /// implements `Filter`, listed in `providers(..)`.
    filters
    /// Tower layers of this route, as functions that make them:
    /// `#[layers(compression)]`.
    layers
}
