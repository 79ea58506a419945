//! Model to tokens.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, Generics, Ident};

use super::validate::{Kind, Model, ModelAnswer};

pub(super) fn expand(model: &Model<'_>) -> TokenStream {
    let ident = model.ident;
    let mut statics = Vec::new();
    let mut arms = Vec::new();
    let mut own_kinds = Vec::new();
    let mut inner_kinds = Vec::new();
    for (index, case) in model.cases.iter().enumerate() {
        let path = &case.path;
        match &case.answer {
            ModelAnswer::Told(kind) => {
                let name = format_ident!("KIND_{index}");
                statics.push(expand_static(&name, kind));
                arms.push(expand_told(model, path, &name, kind));
                own_kinds.push(quote!(&#name));
            }
            ModelAnswer::Internal => {
                // Spanned to the type: it is the type that must be an error.
                let internal = quote_spanned! {ident.span()=>
                    ::arcly_http::__rt::problem::kept(error)
                };
                arms.push(quote!(error @ #path { .. } => #internal));
                own_kinds.push(quote!(&::arcly_http::__rt::problem::kinds::INTERNAL));
            }
            ModelAnswer::Transparent { field, ty } => {
                let delegate = quote_spanned! {ty.span()=>
                    ::arcly_http::__rt::problem::IntoProblem::into_problem(error)
                };
                arms.push(quote!(#path { #field: error } => #delegate));
                inner_kinds.push(quote_spanned! {ty.span()=>
                    <#ty as ::arcly_http::__rt::problem::IntoProblem>::kinds()
                });
            }
        }
    }
    quote! {
        const _: () = {
            #(#statics)*

            #[automatically_derived]
            impl ::arcly_http::__rt::problem::IntoProblem for #ident {
                fn into_problem(self) -> ::arcly_http::__rt::problem::Problem {
                    match self {
                        #(#arms,)*
                    }
                }

                fn kinds() -> &'static [&'static ::arcly_http::__rt::problem::ProblemKind] {
                    static KINDS: ::std::sync::OnceLock<
                        ::std::vec::Vec<&'static ::arcly_http::__rt::problem::ProblemKind>,
                    > = ::std::sync::OnceLock::new();
                    KINDS.get_or_init(|| {
                        ::arcly_http::__rt::problem::merge_kinds(&[
                            &[#(#own_kinds),*],
                            #(#inner_kinds),*
                        ])
                    })
                }
            }
        };
    }
}

fn expand_static(name: &Ident, kind: &Kind<'_>) -> TokenStream {
    let Kind { status, type_uri, code, title, members } = kind;
    let members = members.iter().map(|member| {
        let name = &member.name;
        let ty = member.ty;
        let schema = quote_spanned!(ty.span()=> generator.subschema_for::<#ty>());
        quote! {
            ::arcly_http::__rt::problem::MemberDoc {
                name: #name,
                schema: |generator| #schema,
            }
        }
    });
    quote! {
        static #name: ::arcly_http::__rt::problem::ProblemKind =
            ::arcly_http::__rt::problem::ProblemKind {
                status: #status,
                type_uri: #type_uri,
                code: #code,
                title: #title,
                members: &[#(#members),*],
            };
    }
}

fn expand_told(
    model: &Model<'_>,
    path: &TokenStream,
    name: &Ident,
    kind: &Kind<'_>,
) -> TokenStream {
    // Beside a single case a wildcard would be unreachable.
    let other_cases = (model.cases.len() > 1).then(|| quote!(_ => problem,));
    let explained =
        quote_spanned!(model.ident.span()=> ::arcly_http::__rt::problem::told(problem, error));
    let fields = kind.members.iter().map(|member| &member.field);
    let locals = (0..kind.members.len()).map(|index| format_ident!("member_{index}"));
    let calls = kind.members.iter().enumerate().map(|(index, member)| {
        let name = &member.name;
        let local = format_ident!("member_{index}");
        quote_spanned!(member.ty.span()=> .with_member(#name, #local))
    });
    let with_members = (!kind.members.is_empty()).then(|| {
        quote! {
            let problem = match &error {
                #path { #(#fields: #locals,)* .. } => problem #(#calls)*,
                #other_cases
            };
        }
    });
    quote! {
        error @ #path { .. } => {
            let problem = ::arcly_http::__rt::problem::Problem::of(&#name);
            #with_members
            #explained
        }
    }
}

/// The errors, and an impl that keeps the type usable, so that one mistake is
/// one message.
pub(super) fn fallback(ident: &Ident, generics: &Generics, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote! {
        #errors

        #[automatically_derived]
        impl #impl_generics ::arcly_http::__rt::problem::IntoProblem
            for #ident #type_generics #where_clause
        {
            fn into_problem(self) -> ::arcly_http::__rt::problem::Problem {
                ::arcly_http::__rt::problem::Problem::of(
                    &::arcly_http::__rt::problem::kinds::INTERNAL,
                )
            }

            fn kinds() -> &'static [&'static ::arcly_http::__rt::problem::ProblemKind] {
                <::arcly_http::__rt::problem::Problem as ::arcly_http::__rt::problem::IntoProblem>::kinds()
            }
        }
    }
}
