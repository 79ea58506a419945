//! The text of `--help`.

use std::fmt::Write as _;

use super::sources::Fields;

/// Every key: flag and type, what it is for, and its other names.
pub(super) fn help(fields: &Fields) -> String {
    let mut text = String::from(
        "Settings. Later layers win: defaults, file, environment, flags.\n\n  \
         --config <path>\n      A file of settings in TOML [default: config.toml, if there is one]\n  \
         -h, --help\n      This text\n",
    );
    for (name, field) in fields {
        let value =
            if field.value.switch { String::new() } else { format!(" <{}>", (field.value.kind)()) };
        let default = field.default.map(|default| format!(", default: {default}"));
        let default = default.unwrap_or_default();
        let need = match ((field.value.is_optional)(), field.optional_in_dev, &default) {
            (_, true, _) => ", may be missing in profile dev only",
            (false, false, empty) if empty.is_empty() && name != "profile" => ", must be set",
            _ => "",
        };
        let secret = if field.secret { ", secret" } else { "" };
        let (flag, env, doc) = (field.flag, field.env, field.doc);
        let doc = if doc.is_empty() { String::new() } else { format!("      {doc}\n") };
        let _ = write!(
            text,
            "  --{flag}{value}\n{doc}      [key: {name}, env: {env}{default}{need}{secret}]\n"
        );
    }
    text
}
