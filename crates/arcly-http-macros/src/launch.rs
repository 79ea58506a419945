//! `#[arcly_http::main(RootModule)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::support::{Errors, rt, rt_at};

pub(crate) fn expand(root: syn::Path, item: syn::ItemFn, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let inputs = item.sig.inputs.len();
    if item.sig.ident != "main" || item.sig.asyncness.is_some() || inputs > 1 {
        errors.at(
            &item.sig,
            "write `fn main() {}`, or `fn main(app: App) -> App { app }` to change the application before it runs",
        );
    }
    let (attrs, block) = (&item.attrs, &item.block);
    let change = match item.sig.inputs.first() {
        Some(argument) => {
            let output = &item.sig.output;
            quote!(fn change(#argument) #output #block)
        }
        None => quote! {
            fn change(app: #rt::App) -> #rt::App {
                #block
                app
            }
        },
    };
    let at = rt_at(root.span());
    let proof = quote_spanned! {root.span()=>
        #[allow(long_running_const_eval, reason = "the proof walks the whole graph")]
        const _: () = if !<#root as #rt::Module>::PROVED {
            #at::proof::check(<#root as #rt::Module>::META)
        };
    };
    quote! {
        #proof
        #(#attrs)*
        fn main() -> ::std::process::ExitCode {
            #change
            #rt::run_main(change(#rt::App::new::<#root>()), env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        }
    }
}
