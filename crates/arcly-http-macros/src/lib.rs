//! Attributes and derives of arcly-http.
//!
//! Each macro is one line here over `parse`, `validate` and `expand` in a
//! folder of its own. Expansions name one hidden module of the façade,
//! `::arcly_http::__rt`, and nothing else; each is sugar over public traits
//! that can be implemented by hand.

use proc_macro::TokenStream;

mod controller;
mod derive;
mod launch;
mod module;
mod provider;
mod stray;
mod support;

/// Makes a struct a provider whose fields are its dependencies.
///
/// On the struct: `#[inject(scope = request)]` or `#[inject(scope = transient)]`
/// (default: one instance for the application). On a field that is not a
/// dependency: `#[inject(default)]`, `#[inject(default = expression)]` or
/// `#[inject(config = Section.field)]`.
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
/// `#[qualifier(Type, ..)]` names the types it qualifies, which may be of other
/// crates; without it, the marker qualifies every type that the graph can name.
#[proc_macro_derive(Qualifier, attributes(qualifier))]
pub fn derive_qualifier(input: TokenStream) -> TokenStream {
    support::derive(input, derive::qualifier::expand)
}

/// Declares actions for `#[can(..)]`.
///
/// `#[action(role = "editor", scope = "articles:write")]` on a variant: one of
/// the roles and all of the scopes are needed. Both may be repeated.
#[proc_macro_derive(Action, attributes(action))]
pub fn derive_action(input: TokenStream) -> TokenStream {
    support::derive(input, derive::action::expand)
}

/// Make an error answerable as a problem (RFC 9457).
///
/// Each variant says how: `#[problem(status = 409)]`, with `code`, `type` and
/// `title` where the defaults do not fit; `#[problem(internal)]` for a fault
/// that only the log may read; `#[problem(transparent)]` to let the inner
/// error answer. A field with `#[problem(member)]` becomes an extension member
/// of the body. The `Display` of the error becomes the detail.
#[proc_macro_derive(Problem, attributes(problem))]
pub fn derive_problem(item: TokenStream) -> TokenStream {
    derive::problem::derive(item.into()).into()
}

/// Makes a struct a section of the configuration, and a provider.
///
/// On the struct: `#[config(section = "server")]`, `#[config(check = function)]`.
/// On a field: `default = "..."`, `env = "..."`, `flag = "..."`, `secret` (never
/// shown), `optional_in_dev` (on an `Option`: has to be set outside profile `dev`).
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(input: TokenStream) -> TokenStream {
    support::derive(input, derive::config::expand)
}

/// Tells validation how the client names the fields of an input type, from its
/// serde attributes.
#[proc_macro_derive(Input, attributes(serde, garde))]
pub fn derive_input(input: TokenStream) -> TokenStream {
    support::derive(input, derive::input::expand)
}

/// Makes a trait injectable as `Inject<dyn Trait>`; `#[injectable(many)]` as
/// `All<dyn Trait>`.
///
/// Adds the supertraits `Send + Sync + 'static`.
#[proc_macro_attribute]
pub fn injectable(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(args, item, provider::injectable_trait)
}

/// Makes a function a factory: its arguments are its dependencies, what it
/// returns (or the `Ok` of it) is provided. It may be async and may fail.
///
/// `#[provider(qualifier = Marker, scope = request)]`.
#[proc_macro_attribute]
pub fn provider(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(args, item, provider::factory)
}

/// Makes a struct a module.
///
/// `#[module(root, global, imports(..), reexports(..), providers(..),
/// controllers(..), exports(..), actions(..), prefix = "/api", guards(..),
/// interceptors(..), filters(..), layers(..))]`. `root` proves the whole graph
/// below it at `cargo check`.
///
/// Modules, controllers and routes also say how requests are treated; what an inner
/// level says goes first:
///
/// | setting | what it does |
/// |---|---|
/// | `deadline = "5s"` | gives an operation up after that time (`ms`, `s`, `min`, `h`) and answers 504; `None`: never |
#[proc_macro_attribute]
pub fn module(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute_or_default(args, item, module::expand)
}

/// Makes the methods of an `impl` block answer HTTP requests.
///
/// `#[controller("/prefix", tags("..."), host = "...", version = "1",
/// guards(..), interceptors(..), filters(..), layers(..))]`. Methods carry one
/// of `#[get("/..")]`, `#[post]`, `#[put]`, `#[patch]`, `#[delete]`, `#[head]`,
/// `#[options]`, `#[trace]` or, for any other method,
/// `#[route("PROPFIND", "/..")]`; and one of `#[public]`, `#[authenticated]`,
/// `#[can(Action::Of)]`.
#[proc_macro_attribute]
pub fn controller(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute_or_default(args, item, controller::expand)
}

/// Proves the graph of a module and makes `main` launch it.
///
/// On an empty `fn main() {}`; or on a function that takes
/// `arcly_http::App` and changes it before it runs.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    support::attribute(args, item, launch::expand)
}

macro_rules! strays {
    ($($name:ident)*) => {$(
        /// Belongs inside a `#[controller]` block; anywhere else it does not
        /// compile, because it would have no effect.
        #[proc_macro_attribute]
        pub fn $name(args: TokenStream, item: TokenStream) -> TokenStream {
            stray::refuse(stringify!($name), args, item)
        }
    )*};
}

strays! {
    get post put patch delete head options trace route
    public authenticated can guards interceptors filters layers
}
