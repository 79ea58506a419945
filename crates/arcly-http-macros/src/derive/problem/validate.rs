//! What was written to what is meant, with every mistake reported.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Error, Expr, ExprLit, Ident, Index, Lit, LitStr, Result, Type};

use super::super::words::{kebab, sentence, snake};
use super::parse::{Answer, Case, CaseField, Errors, Parsed};

/// An item without mistakes.
pub(super) struct Model<'a> {
    pub(super) ident: &'a Ident,
    pub(super) cases: Vec<ModelCase<'a>>,
}

pub(super) struct ModelCase<'a> {
    /// `Self` or `Self::Variant`.
    pub(super) path: TokenStream,
    pub(super) answer: ModelAnswer<'a>,
}

pub(super) enum ModelAnswer<'a> {
    /// A status and a detail.
    Told(Kind<'a>),
    /// 500, only logged.
    Internal,
    /// The only field answers.
    Transparent { field: TokenStream, ty: &'a Type },
}

pub(super) struct Kind<'a> {
    pub(super) status: u16,
    pub(super) type_uri: String,
    pub(super) code: String,
    pub(super) title: String,
    pub(super) members: Vec<ModelMember<'a>>,
}

pub(super) struct ModelMember<'a> {
    pub(super) name: String,
    /// `limit` or `0`.
    pub(super) field: TokenStream,
    pub(super) ty: &'a Type,
}

/// # Errors
///
/// Every mistake of the item.
pub(super) fn validate<'a>(parsed: &'a Parsed<'a>) -> Result<Model<'a>> {
    let mut errors = Errors::default();
    let input = parsed.input;
    if let Some(param) = input.generics.params.first() {
        errors.push(Error::new_spanned(
            param,
            "a problem cannot be generic, because its kinds are listed once in the contract: put a concrete type here",
        ));
    }
    let mut codes = HashSet::new();
    let mut cases = Vec::new();
    for case in &parsed.cases {
        let Some(answer) = errors.keep(validate_case(parsed, case)) else {
            continue;
        };
        if let ModelAnswer::Told(kind) = &answer
            && !codes.insert(kind.code.clone())
        {
            errors.push(Error::new_spanned(
                case.ident,
                format!(
                    "two variants have the code `{}`: give this one another with `code = \"..\"`",
                    kind.code
                ),
            ));
        }
        let ident = case.ident;
        let path = if parsed.is_enum { quote!(Self::#ident) } else { quote!(Self) };
        cases.push(ModelCase { path, answer });
    }
    errors.into_result(Model { ident: &input.ident, cases })
}

fn validate_case<'a>(parsed: &Parsed<'a>, case: &'a Case<'a>) -> Result<ModelAnswer<'a>> {
    let ident = case.ident;
    let Some(answer) = &case.answer else {
        return Err(Error::new_spanned(
            ident,
            format!(
                "`{ident}` does not say how to answer a client: add `#[problem(status = 409)]` (400 to 599, or a name such as NOT_FOUND), `#[problem(internal)]` (500, cause only logged) or `#[problem(transparent)]` (the inner error answers)"
            ),
        ));
    };
    match (answer.internal, answer.transparent, &answer.status) {
        (Some(span), Some(_), _) => {
            Err(Error::new(span, "`internal` and `transparent` exclude each other: keep one"))
        }
        (Some(_), None, _) => {
            refuse_rest(answer, "internal")?;
            refuse_members(case, "an internal problem tells the client nothing")?;
            Ok(ModelAnswer::Internal)
        }
        (None, Some(span), _) => {
            refuse_rest(answer, "transparent")?;
            refuse_members(case, "the inner error of a transparent problem answers")?;
            match case.fields.as_slice() {
                [field] => Ok(ModelAnswer::Transparent { field: field_name(field), ty: field.ty }),
                fields => Err(Error::new(
                    span,
                    format!(
                        "`transparent` needs exactly one field, the inner error, and `{ident}` has {}",
                        fields.len()
                    ),
                )),
            }
        }
        (None, None, None) => Err(Error::new(
            answer.span,
            "`status` is missing: write `#[problem(status = 409)]`, `#[problem(internal)]` or `#[problem(transparent)]`",
        )),
        (None, None, Some(status)) => {
            let mut errors = Errors::default();
            let status = errors.keep(status_of(status));
            let members = errors.keep(members_of(case));
            let texts = errors.keep(refuse_empty_texts(answer));
            match (status, members, texts) {
                (Some(status), Some(members), Some(())) => {
                    Ok(ModelAnswer::Told(kind_of(parsed, case, answer, status, members)))
                }
                _ => errors.into_result(ModelAnswer::Internal),
            }
        }
    }
}

fn kind_of<'a>(
    parsed: &Parsed<'_>,
    case: &Case<'_>,
    answer: &Answer,
    status: u16,
    members: Vec<ModelMember<'a>>,
) -> Kind<'a> {
    let text = |given: &Option<LitStr>| given.as_ref().map(LitStr::value);
    let place = if parsed.is_enum {
        format!("{}:{}", kebab(&parsed.input.ident), kebab(case.ident))
    } else {
        kebab(case.ident)
    };
    Kind {
        status,
        type_uri: text(&answer.type_uri).unwrap_or_else(|| format!("urn:problem:{place}")),
        code: text(&answer.code).unwrap_or_else(|| snake(case.ident)),
        title: text(&answer.title).unwrap_or_else(|| sentence(case.ident)),
        members,
    }
}

fn refuse_rest(answer: &Answer, word: &str) -> Result<()> {
    let mut errors = Errors::default();
    if let Some(status) = &answer.status {
        errors.push(Error::new_spanned(
            status,
            format!("`{word}` decides the status: remove `status` or `{word}`"),
        ));
    }
    for text in [&answer.code, &answer.type_uri, &answer.title].into_iter().flatten() {
        errors.push(Error::new_spanned(text, format!("has no effect beside `{word}`: remove it")));
    }
    errors.into_result(())
}

fn refuse_members(case: &Case<'_>, reason: &str) -> Result<()> {
    let mut errors = Errors::default();
    for member in case.fields.iter().filter_map(|field| field.member.as_ref()) {
        errors.push(Error::new(member.span, format!("{reason}: remove `member`")));
    }
    errors.into_result(())
}

fn refuse_empty_texts(answer: &Answer) -> Result<()> {
    let mut errors = Errors::default();
    for text in [&answer.code, &answer.type_uri, &answer.title]
        .into_iter()
        .flatten()
        .filter(|text| text.value().trim().is_empty())
    {
        errors.push(Error::new_spanned(
            text,
            "must not be empty: remove the option to get its default",
        ));
    }
    errors.into_result(())
}

/// Names that the body of every problem has.
const RESERVED: [&str; 6] = ["type", "title", "status", "detail", "instance", "code"];

fn members_of<'a>(case: &'a Case<'a>) -> Result<Vec<ModelMember<'a>>> {
    let mut errors = Errors::default();
    let mut members: Vec<ModelMember<'a>> = Vec::new();
    for field in &case.fields {
        let Some(member) = &field.member else {
            continue;
        };
        let name = match (&member.name, field.ident) {
            (Some(name), _) => name.value(),
            (None, Some(ident)) => syn::ext::IdentExt::unraw(ident).to_string(),
            (None, None) => {
                errors.push(Error::new(
                    member.span,
                    "the field has no name: write `#[problem(member = \"name\")]`",
                ));
                continue;
            }
        };
        let span = member.name.as_ref().map_or(member.span, LitStr::span);
        if RESERVED.contains(&name.as_str()) {
            errors.push(Error::new(
                span,
                format!(
                    "every problem has a member `{name}` of its own: write `#[problem(member = \"another name\")]`"
                ),
            ));
        } else if members.iter().any(|known| known.name == name) {
            errors.push(Error::new(
                span,
                format!("two fields become the member `{name}`: rename one"),
            ));
        }
        members.push(ModelMember { name, field: field_name(field), ty: field.ty });
    }
    errors.into_result(members)
}

fn field_name(field: &CaseField<'_>) -> TokenStream {
    match field.ident {
        Some(ident) => ident.to_token_stream(),
        None => Index::from(field.index).to_token_stream(),
    }
}

fn status_of(expr: &Expr) -> Result<u16> {
    let status = match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            int.base10_parse().ok().filter(|status| (400..=599).contains(status))
        }
        Expr::Path(path) => path
            .path
            .get_ident()
            .and_then(|ident| STATUS_NAMES.iter().find(|(name, _)| ident == name))
            .map(|(_, status)| *status),
        _ => None,
    };
    status.ok_or_else(|| {
        Error::new_spanned(
            expr,
            "not the status of an error: write a number from 400 to 599, or its name as in `http::StatusCode`, such as `NOT_FOUND`",
        )
    })
}

/// The names of `http::StatusCode`, from 400 on.
const STATUS_NAMES: [(&str, u16); 41] = [
    ("BAD_REQUEST", 400),
    ("UNAUTHORIZED", 401),
    ("PAYMENT_REQUIRED", 402),
    ("FORBIDDEN", 403),
    ("NOT_FOUND", 404),
    ("METHOD_NOT_ALLOWED", 405),
    ("NOT_ACCEPTABLE", 406),
    ("PROXY_AUTHENTICATION_REQUIRED", 407),
    ("REQUEST_TIMEOUT", 408),
    ("CONFLICT", 409),
    ("GONE", 410),
    ("LENGTH_REQUIRED", 411),
    ("PRECONDITION_FAILED", 412),
    ("PAYLOAD_TOO_LARGE", 413),
    ("URI_TOO_LONG", 414),
    ("UNSUPPORTED_MEDIA_TYPE", 415),
    ("RANGE_NOT_SATISFIABLE", 416),
    ("EXPECTATION_FAILED", 417),
    ("IM_A_TEAPOT", 418),
    ("MISDIRECTED_REQUEST", 421),
    ("UNPROCESSABLE_ENTITY", 422),
    ("LOCKED", 423),
    ("FAILED_DEPENDENCY", 424),
    ("TOO_EARLY", 425),
    ("UPGRADE_REQUIRED", 426),
    ("PRECONDITION_REQUIRED", 428),
    ("TOO_MANY_REQUESTS", 429),
    ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431),
    ("UNAVAILABLE_FOR_LEGAL_REASONS", 451),
    ("INTERNAL_SERVER_ERROR", 500),
    ("NOT_IMPLEMENTED", 501),
    ("BAD_GATEWAY", 502),
    ("SERVICE_UNAVAILABLE", 503),
    ("GATEWAY_TIMEOUT", 504),
    ("HTTP_VERSION_NOT_SUPPORTED", 505),
    ("VARIANT_ALSO_NEGOTIATES", 506),
    ("INSUFFICIENT_STORAGE", 507),
    ("LOOP_DETECTED", 508),
    ("NOT_EXTENDED", 510),
    ("NETWORK_AUTHENTICATION_REQUIRED", 511),
    ("CONTENT_TOO_LARGE", 413),
];
