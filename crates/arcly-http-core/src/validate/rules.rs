//! The words and codes of garde's rules.
//!
//! garde hands out sentences only, so the sentences carry their code in front of
//! a separator, which [`split`] takes apart again. Rules of the application's own
//! have no code and are called `invalid`.

use std::borrow::Cow;
use std::fmt::Display;

use garde::i18n::{I18n, InvalidCreditCard, InvalidEmail, InvalidPhoneNumber, InvalidUrl, IpKind};

/// A control character that no rule of an application begins with.
const SEPARATOR: char = '\u{1f}';

/// The code and the sentence of a message.
pub(super) fn split(message: &str) -> (Cow<'static, str>, &str) {
    match message.split_once(SEPARATOR) {
        Some((code, sentence)) => (Cow::Owned(code.to_owned()), sentence),
        None => (Cow::Borrowed("invalid"), message),
    }
}

fn say(code: &str, sentence: impl Display) -> Cow<'static, str> {
    Cow::Owned(format!("{code}{SEPARATOR}{sentence}"))
}

/// English, with codes.
pub(super) struct Coded;

impl I18n for Coded {
    fn length_lower_than(&self, min: usize) -> Cow<'static, str> {
        say("too_short", format_args!("must have a length of at least {min}"))
    }
    fn length_greater_than(&self, max: usize) -> Cow<'static, str> {
        say("too_long", format_args!("must have a length of at most {max}"))
    }
    fn range_lower_than(&self, min: &dyn Display) -> Cow<'static, str> {
        say("too_small", format_args!("must be at least {min}"))
    }
    fn range_greater_than(&self, max: &dyn Display) -> Cow<'static, str> {
        say("too_large", format_args!("must be at most {max}"))
    }
    fn credit_card_invalid(&self, reason: InvalidCreditCard) -> Cow<'static, str> {
        say("not_a_credit_card", format_args!("must be a credit card number: {reason}"))
    }
    fn pattern_no_match(&self, pattern: &dyn Display) -> Cow<'static, str> {
        say("pattern", format_args!("must match the pattern `{pattern}`"))
    }
    fn contains_missing(&self, pattern: &dyn Display) -> Cow<'static, str> {
        say("must_contain", format_args!("must contain `{pattern}`"))
    }
    fn url_invalid(&self, reason: InvalidUrl) -> Cow<'static, str> {
        say("not_a_url", format_args!("must be a URL: {reason}"))
    }
    fn prefix_missing(&self, pattern: &dyn Display) -> Cow<'static, str> {
        say("must_start_with", format_args!("must start with `{pattern}`"))
    }
    fn suffix_missing(&self, pattern: &dyn Display) -> Cow<'static, str> {
        say("must_end_with", format_args!("must end with `{pattern}`"))
    }
    fn phone_number_invalid(&self, reason: InvalidPhoneNumber) -> Cow<'static, str> {
        say("not_a_phone_number", format_args!("must be a phone number: {reason}"))
    }
    fn ip_invalid(&self, kind: IpKind) -> Cow<'static, str> {
        say("not_an_ip_address", format_args!("must be an {kind} address"))
    }
    fn matches_field_mismatch(&self, field: &dyn Display) -> Cow<'static, str> {
        say("must_match", format_args!("must be the same as `{field}`"))
    }
    fn email_invalid(&self, reason: InvalidEmail) -> Cow<'static, str> {
        say("not_an_email_address", format_args!("must be an email address: {reason}"))
    }
    fn ascii_invalid(&self) -> Cow<'static, str> {
        say("not_ascii", "must consist of ASCII characters")
    }
    fn alphanumeric_invalid(&self) -> Cow<'static, str> {
        say("not_alphanumeric", "must consist of letters and digits")
    }
    fn required_not_set(&self) -> Cow<'static, str> {
        say("required", "this field is required")
    }
}
