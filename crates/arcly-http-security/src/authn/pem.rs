//! Text-armoured keys (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest text that is looked at, in bytes. An RSA key of 8192 bits has 6.5 KiB.
const LENGTH_MAX: usize = 64 * 1024;

/// The one block of a text: label and content.
pub(super) fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let (label, rest) = text.trim().strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let body = rest.strip_suffix(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    Some((label, STANDARD.decode(body).ok()?))
}
