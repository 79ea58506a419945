//! Hooks behind `Arc<dyn Trait>` never run: what a factory puts there is asked whether it
//! has some.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::support::rt_at;

/// A body in which each value of `Arc::new(value)` is looked at, where its type is plain
/// to see.
pub(super) fn watched(body: TokenStream) -> TokenStream {
    let mut seen = String::new();
    let mut out = vec![];
    for token in body {
        match token {
            TokenTree::Group(group) => {
                let is_made = group.delimiter() == Delimiter::Parenthesis && seen == "Arc::new";
                let mut inner = watched(group.stream());
                if is_made
                    && let Ok(value) = syn::parse2::<Expr>(inner.clone())
                    && is_plain(&value)
                {
                    inner = ask(&value);
                }
                let mut replaced = Group::new(group.delimiter(), inner);
                replaced.set_span(group.span());
                out.push(TokenTree::Group(replaced));
                seen.clear();
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                seen.push(':');
                out.push(TokenTree::Punct(punct));
            }
            other => {
                let word = other.to_string();
                if word != "new" || seen != "Arc::" {
                    seen.clear();
                }
                seen.push_str(&word);
                out.push(other);
            }
        }
    }
    out.into_iter().collect()
}

/// Whether the compiler knows the type without being told from outside.
fn is_plain(value: &Expr) -> bool {
    const OPEN: [&str; 8] =
        ["into", "try_into", "collect", "parse", "default", "sum", "product", "unwrap_or_default"];
    match value {
        Expr::Path(path) => path.qself.is_none(),
        Expr::Struct(_) => true,
        Expr::Try(inner) => is_plain(&inner.expr),
        Expr::Await(inner) => is_plain(&inner.base),
        Expr::Paren(inner) => is_plain(&inner.expr),
        Expr::MethodCall(call) => {
            !OPEN.iter().any(|open| call.method == open) && is_plain(&call.receiver)
        }
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let mut segments = path.path.segments.iter();
                path.qself.is_none()
                    && !segments
                        .any(|segment| segment.ident == "Default" || segment.ident == "From")
            }
            _ => false,
        },
        _ => false,
    }
}

/// The same value; does not compile where its type has hooks.
fn ask(value: &Expr) -> TokenStream {
    let rt = rt_at(value.span());
    let made = Ident::new("made", Span::mixed_site());
    quote_spanned! {value.span()=>
        match #value {
            #made => {
                #[allow(unused_imports, reason = "used where the type has no hooks")]
                use #rt::asks::WithoutHooks as _;
                #rt::asks::Hidden::of(&#made).hooks_run();
                #made
            }
        }
    }
}
