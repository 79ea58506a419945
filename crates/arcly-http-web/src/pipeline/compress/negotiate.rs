//! `Accept-Encoding` (RFC 9110, section 12.5.3).

use super::codec::Coding;

/// The coding that a client likes best, among those that it takes; `None`: as it is.
/// Which it is when the client takes nothing that we have, even if it says that it
/// does not want that: the work has been done, and the standard lets a server answer
/// as if the header was not there.
pub(super) fn best<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Coding> {
    let mut named = [None; Coding::ALL.len()];
    let (mut identity, mut others) = (None, None);
    for element in lines.flat_map(|line| line.split(',')) {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        let name = name.trim();
        let weight = weight(parameters);
        if name == "*" {
            others = Some(weight);
        } else if name.eq_ignore_ascii_case("identity") {
            identity = Some(weight);
        } else if let Some(at) = Coding::ALL.iter().position(|coding| coding.is_called(name)) {
            named[at] = Some(weight);
        }
    }
    let mut best: Option<(u16, Coding)> = None;
    for (coding, weight) in Coding::ALL.into_iter().zip(named) {
        let weight = weight.or(others).unwrap_or(0);
        if weight > best.map_or(0, |(best, _)| best) {
            best = Some((weight, coding));
        }
    }
    // Who likes it plain at least as much says so by name.
    best.filter(|(weight, _)| identity.is_none_or(|plain| *weight >= plain)).map(|(_, best)| best)
}

/// Thousandths. What cannot be read is not wanted.
fn weight(parameters: &str) -> u16 {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return 1000;
    }
    let Some((name, text)) = parameters.split_once('=') else { return 0 };
    let text = text.trim();
    let is_sound = name.trim().eq_ignore_ascii_case("q")
        && text.len() <= 5
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f32>() {
        Ok(weight) if is_sound && weight <= 1.0 => (weight * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Option<Coding>) {
        assert_eq!(best([accept].into_iter()), expected, "{accept}");
    }

    #[test]
    fn the_client_chooses() {
        use Coding::{Brotli, Gzip, Zstd};
        check("gzip, deflate, br, zstd", Some(Zstd));
        check("gzip, deflate, br", Some(Brotli));
        check("gzip", Some(Gzip));
        check("X-GZIP", Some(Gzip));
        check("GZip ; Q=0.5", Some(Gzip));
        check("gzip;q=1.0, br;q=0.9, zstd;q=0.1", Some(Gzip));
        check("br;q=0, zstd;q=0.000, gzip;q=0.001", Some(Gzip));
        check("*", Some(Zstd));
        check("*;q=0.5, zstd;q=0", Some(Brotli));
        check("*;q=0", None);
        check("br, *;q=0", Some(Brotli));
        check("identity", None);
        check("identity;q=0", None);
        check("identity;q=0, gzip", Some(Gzip));
        check("identity;q=0, *", Some(Zstd));
        check("identity;q=0.5, gzip;q=0.4", None);
        check("identity, gzip;q=0.4", None);
        check("identity, gzip", Some(Gzip));
        check("deflate, compress", None);
        for broken in ["", ",", "gzip;q=", "gzip;q=2", "gzip;q=-1", "gzip;q=x", "gzip;q=NaN"] {
            check(broken, None);
        }
        check("gzip;level=9", None);
    }

    #[test]
    fn lines_are_one_list() {
        assert_eq!(best(["deflate", "br;q=0.1"].into_iter()), Some(Coding::Brotli));
    }
}
