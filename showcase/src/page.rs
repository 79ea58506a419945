//! A page at `/` that shows what the API does, live. Everything it needs is in the program.

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::web::reply::{Response, with_type};
use arcly_http::web::security_headers::{Csp, SecurityHeaders, Source};

/// Scripts, styles and data come from this server alone, and nothing is inline.
fn of_page() -> SecurityHeaders {
    let policy = Csp::nothing()
        .scripts([Source::Own])
        .styles([Source::Own])
        .images([Source::Own])
        .connections([Source::Own]);
    SecurityHeaders::new().csp(policy)
}

/// A version of a text (FNV-1a): browsers ask whether they have the newest.
const fn version_of(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Texts that are served as they are, a type for each media type.
macro_rules! files {
    ($($kind:ident $media_type:literal { $($name:ident $file:literal;)* })*) => {$(
        pub(crate) struct $kind(&'static str);

        impl Reply for $kind {
            fn describe(operation: &mut Operation) {
                operation.reply_raw(200, $media_type);
            }

            fn reply(self, _head: &Head) -> Result<Response, Problem> {
                Ok(with_type(self.0, $media_type))
            }
        }

        $(fn $name() -> Tagged<$kind> {
            const TEXT: &str = include_str!(concat!("../page/", $file));
            const VERSION: u64 = version_of(TEXT);
            Tagged::new(format_args!("{VERSION:016x}"), $kind(TEXT))
        })*
    )*};
}

files! {
    Page "text/html; charset=utf-8" { index "index.html"; }
    Style "text/css; charset=utf-8" { style "style.css"; }
    Icon "image/svg+xml" { icon "icon.svg"; }
    Script "text/javascript; charset=utf-8" {
        app "app.js";
        api "api.js";
        live "live.js";
        view "view.js";
    }
}

#[derive(Injectable)]
pub(crate) struct PageController;

#[controller("/", tags("Page"), security_headers = of_page)]
impl PageController {
    /// The page.
    ///
    /// For people, with JavaScript.
    #[get("/")]
    #[public]
    fn index(&self) -> Tagged<Page> {
        index()
    }

    /// How it looks.
    ///
    /// The style sheet of the page.
    #[get("/page/style.css")]
    #[public]
    fn style(&self) -> Tagged<Style> {
        style()
    }

    /// Its icon.
    ///
    /// The icon of the page.
    #[get("/page/icon.svg")]
    #[public]
    fn icon(&self) -> Tagged<Icon> {
        icon()
    }

    /// What happens on it.
    ///
    /// A module of the page: what it knows, shows and does.
    #[get("/page/app.js")]
    #[public]
    fn app(&self) -> Tagged<Script> {
        app()
    }

    /// Calls of the API.
    ///
    /// A module of the page: what is asked of the API, and who is logged in.
    #[get("/page/api.js")]
    #[public]
    fn api(&self) -> Tagged<Script> {
        api()
    }

    /// The socket.
    ///
    /// A module of the page: the socket at `/live`, which comes back by itself.
    #[get("/page/live.js")]
    #[public]
    fn live(&self) -> Tagged<Script> {
        live()
    }

    /// Parts of the page.
    ///
    /// A module of the page: the elements that it is made of.
    #[get("/page/view.js")]
    #[public]
    fn view(&self) -> Tagged<Script> {
        view()
    }
}

/// The page at `/`.
#[module(controllers(PageController))]
pub(crate) struct PageModule;
