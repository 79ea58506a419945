//! Identifiers as words.

use syn::Ident;
use syn::ext::IdentExt as _;

/// The words of an identifier in lower case: `HTTPPort2` is `http`, `port2`.
pub(super) fn words(ident: &Ident) -> Vec<String> {
    let text = ident.unraw().to_string();
    let letters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let after = letters.get(index + 1);
        let starts_word = letter.is_uppercase()
            && (before.is_some_and(|before| !before.is_uppercase())
                || after.is_some_and(|after| after.is_lowercase()));
        if (letter == '_' || starts_word) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter != '_' {
            word.extend(letter.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `title_taken`.
pub(super) fn snake(ident: &Ident) -> String {
    words(ident).join("_")
}

/// `title-taken`.
pub(super) fn kebab(ident: &Ident) -> String {
    words(ident).join("-")
}

/// `Title taken`.
pub(super) fn sentence(ident: &Ident) -> String {
    let text = words(ident).join(" ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proc_macro2::Span;

    #[test]
    fn splits_where_people_do() {
        for (name, expected) in [
            ("TitleTaken", "Title taken"),
            ("HTTPPort2", "Http port2"),
            ("r#Type", "Type"),
            ("snake_case", "Snake case"),
            ("A", "A"),
        ] {
            let ident: Ident = syn::parse_str(name).unwrap();
            assert_eq!(sentence(&ident), expected);
        }
        let ident = Ident::new("TitleTaken", Span::call_site());
        assert_eq!(snake(&ident), "title_taken");
        assert_eq!(kebab(&ident), "title-taken");
    }
}
