//! Syntax to model: what was written, not yet whether it makes sense.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitStr, Result, Type};

/// The item as written.
pub(super) struct Parsed<'a> {
    pub(super) input: &'a DeriveInput,
    pub(super) is_enum: bool,
    pub(super) cases: Vec<Case<'a>>,
}

/// A variant, or the whole of a struct.
pub(super) struct Case<'a> {
    pub(super) ident: &'a Ident,
    /// `None` if there is no `#[problem(..)]`.
    pub(super) answer: Option<Answer>,
    pub(super) fields: Vec<CaseField<'a>>,
}

/// What `#[problem(..)]` on a case says.
pub(super) struct Answer {
    pub(super) span: Span,
    pub(super) status: Option<Expr>,
    pub(super) code: Option<LitStr>,
    pub(super) type_uri: Option<LitStr>,
    pub(super) title: Option<LitStr>,
    pub(super) internal: Option<Span>,
    pub(super) transparent: Option<Span>,
}

pub(super) struct CaseField<'a> {
    pub(super) ident: Option<&'a Ident>,
    pub(super) index: usize,
    pub(super) ty: &'a Type,
    pub(super) member: Option<Member>,
}

/// What `#[problem(member)]` on a field says.
pub(super) struct Member {
    pub(super) span: Span,
    pub(super) name: Option<LitStr>,
}

/// # Errors
///
/// Every attribute that does not parse, and an item that is a union.
pub(super) fn parse(input: &DeriveInput) -> Result<Parsed<'_>> {
    let mut errors = Errors::default();
    let mut cases = Vec::new();
    let is_enum = match &input.data {
        Data::Enum(data) => {
            for attr in problem_attrs(&input.attrs) {
                errors.push(Error::new_spanned(
                    attr,
                    "`#[problem(..)]` on an enum has no effect: write it on each variant",
                ));
            }
            for variant in &data.variants {
                let case = parse_case(&variant.ident, &variant.attrs, &variant.fields);
                cases.extend(errors.keep(case));
            }
            true
        }
        Data::Struct(data) => {
            let case = parse_case(&input.ident, &input.attrs, &data.fields);
            cases.extend(errors.keep(case));
            false
        }
        Data::Union(data) => {
            errors.push(Error::new(
                data.union_token.span,
                "a union cannot be a problem: use a struct or an enum",
            ));
            false
        }
    };
    errors.into_result(Parsed { input, is_enum, cases })
}

fn parse_case<'a>(
    ident: &'a Ident,
    attrs: &'a [Attribute],
    fields: &'a Fields,
) -> Result<Case<'a>> {
    let mut errors = Errors::default();
    let mut answer = None;
    for attr in problem_attrs(attrs) {
        let answer = answer.get_or_insert_with(|| Answer::new(attr.path().span()));
        if let Err(error) = parse_answer(attr, answer) {
            errors.push(error);
        }
    }
    let mut case_fields = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if let Some(member) = errors.keep(parse_member(field)) {
            case_fields.push(CaseField {
                ident: field.ident.as_ref(),
                index,
                ty: &field.ty,
                member,
            });
        }
    }
    errors.into_result(Case { ident, answer, fields: case_fields })
}

impl Answer {
    fn new(span: Span) -> Self {
        Self {
            span,
            status: None,
            code: None,
            type_uri: None,
            title: None,
            internal: None,
            transparent: None,
        }
    }
}

fn parse_answer(attr: &Attribute, answer: &mut Answer) -> Result<()> {
    attr.parse_nested_meta(|meta| {
        let Some(key) = meta.path.get_ident().map(Ident::to_string) else {
            return Err(meta.error(UNKNOWN_KEY));
        };
        let is_repeated = match key.as_str() {
            "status" => answer.status.replace(meta.value()?.parse()?).is_some(),
            "code" => answer.code.replace(meta.value()?.parse()?).is_some(),
            "type" => answer.type_uri.replace(meta.value()?.parse()?).is_some(),
            "title" => answer.title.replace(meta.value()?.parse()?).is_some(),
            "internal" => answer.internal.replace(meta.path.span()).is_some(),
            "transparent" => answer.transparent.replace(meta.path.span()).is_some(),
            "member" => {
                return Err(
                    meta.error("`member` belongs on a field: write `#[problem(member)]` there")
                );
            }
            _ => return Err(meta.error(UNKNOWN_KEY)),
        };
        if is_repeated {
            return Err(meta.error(format!("`{key}` is given twice: remove one")));
        }
        Ok(())
    })
}

const UNKNOWN_KEY: &str = "unknown option: write `status = ..` (with `code = \"..\"`, `type = \"..\"` or `title = \"..\"` if wanted), `internal` or `transparent`";

fn parse_member(field: &Field) -> Result<Option<Member>> {
    let mut member = None;
    for attr in problem_attrs(&field.attrs) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("member") {
                return Err(meta.error(
                    "unknown option: a field takes `member` or `member = \"name\"`; everything else belongs on the variant",
                ));
            }
            let name = if meta.input.peek(syn::Token![=]) {
                Some(meta.value()?.parse()?)
            } else {
                None
            };
            member = Some(Member {
                span: meta.path.span(),
                name,
            });
            Ok(())
        })?;
    }
    Ok(member)
}

fn problem_attrs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("problem"))
}

/// Errors of one item, reported together.
#[derive(Default)]
pub(super) struct Errors(Option<Error>);

impl Errors {
    pub(super) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(super) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T> {
        match self.0 {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }
}
