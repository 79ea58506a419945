//! Who the client is when proxies stand between: the PROXY protocol, and the headers
//! `Forwarded` and `X-Forwarded-For`.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use arcly_http_core::config::ConfigValue;
use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Most bytes of a PROXY header: addresses and a few extensions.
const PROXY_MAX: usize = 1024;

/// Reads the header of version 2 that a load balancer puts before a connection.
/// `None`: the balancer itself connects, as it does for its health checks.
pub(super) async fn read_header(
    socket: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<SocketAddr>> {
    const FIXED: usize = 16;
    let mut bytes = vec![0; FIXED];
    socket.read_exact(&mut bytes).await?;
    if !bytes.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        return Err(io::Error::other("no PROXY protocol header of version 2"));
    }
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > PROXY_MAX {
        return Err(io::Error::other("the PROXY protocol header is too long"));
    }
    bytes.resize(FIXED + length, 0);
    socket.read_exact(&mut bytes[FIXED..]).await?;
    let header = ppp::v2::Header::try_from(bytes.as_slice())
        .map_err(|error| io::Error::other(format!("malformed PROXY protocol header: {error:?}")))?;
    Ok(match (header.command, header.addresses) {
        (ppp::v2::Command::Local, _) => None,
        (_, ppp::v2::Addresses::IPv4(v4)) => Some((v4.source_address, v4.source_port).into()),
        (_, ppp::v2::Addresses::IPv6(v6)) => Some((v6.source_address, v6.source_port).into()),
        (_, ppp::v2::Addresses::Unix(_) | ppp::v2::Addresses::Unspecified) => None,
    })
}

/// A network of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(ipnet::IpNet);

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
        parsed.map(Self).map_err(|_| "a network such as `10.0.0.0/8`, or an address".to_owned())
    }
}

impl ConfigValue for Network {
    fn kind() -> String {
        "network".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: that of the connection, unless it is of a trusted proxy.
/// Then the headers are read from their end, where the nearest proxy writes, up to
/// the first address that is not trusted; what cannot be read ends the search, so that
/// nobody can make up an address behind a malformed entry. A proxy writes one of
/// `Forwarded` (RFC 7239) and `X-Forwarded-For`, and passes on what a client made up in
/// the other: where they name different clients, neither is believed.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let named = |name: HeaderName| {
        headers.contains_key(&name).then(|| nearest(peer, headers, &name, is_trusted))
    };
    match (named(FORWARDED), named(X_FORWARDED_FOR)) {
        (Some(standard), Some(other)) if standard != other => peer,
        (Some(address), _) | (None, Some(address)) => address,
        (None, None) => peer,
    }
}

/// The first address from the end of a header that is not trusted, or the last before
/// what cannot be read.
fn nearest(
    peer: IpAddr,
    headers: &HeaderMap,
    name: &HeaderName,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let lines: Vec<&str> =
        headers.get_all(name).iter().map(|v| v.to_str().unwrap_or("?")).collect();
    let mut nearest = peer;
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let node = if *name == FORWARDED { forwarded_for(entry) } else { Some(entry) };
        let Some(address) = node.and_then(parse_node) else { break };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    nearest
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with or without port; IPv6 in brackets or bare.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &'static str, lines: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(client_address(peer, &headers, &trusted).to_string(), expected);
        // A client that connects by itself is never believed.
        let stranger: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(client_address(stranger, &headers, &trusted), stranger);
    }

    #[test]
    fn the_nearest_untrusted_address_is_the_client() {
        check("x-forwarded-for", &[], "10.0.0.1");
        check("x-forwarded-for", &["192.0.2.1"], "192.0.2.1");
        // What the client made up stands before what the proxy saw.
        check("x-forwarded-for", &["1.1.1.1, 192.0.2.1"], "192.0.2.1");
        check("x-forwarded-for", &["1.1.1.1", "192.0.2.1, 10.0.0.9"], "192.0.2.1");
        check("x-forwarded-for", &["10.0.0.8, 10.0.0.9"], "10.0.0.8");
        check("x-forwarded-for", &["1.1.1.1, junk, 10.0.0.9"], "10.0.0.9");
        check("x-forwarded-for", &["192.0.2.1:4711"], "192.0.2.1");
        check("forwarded", &["for=192.0.2.1;proto=https"], "192.0.2.1");
        check("forwarded", &["for=1.1.1.1, For=\"[2001:db9::1]:4711\""], "2001:db9::1");
        check("forwarded", &["for=192.0.2.1, for=_hidden"], "10.0.0.1");
        check("forwarded", &["for=\"::ffff:192.0.2.1\""], "192.0.2.1");
    }

    #[test]
    fn a_proxy_that_writes_one_header_is_not_lied_to_by_the_other() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let check = |standard: &'static str, other: &'static str, expected: &str| {
            let headers = HeaderMap::from_iter([
                (FORWARDED, http::HeaderValue::from_static(standard)),
                (X_FORWARDED_FOR, http::HeaderValue::from_static(other)),
            ]);
            let address = client_address("10.0.0.1".parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{standard} | {other}");
        };
        check("for=192.0.2.1", "192.0.2.1", "192.0.2.1");
        check("for=1.1.1.1", "192.0.2.1", "10.0.0.1");
        check("for=192.0.2.1", "1.1.1.1", "10.0.0.1");
        check("for=_hidden", "192.0.2.1", "10.0.0.1");
    }

    #[test]
    fn networks_are_read() {
        assert!("10.0.0.0/8".parse::<Network>().unwrap().contains("10.1.2.3".parse().unwrap()));
        assert!("::1".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
        for text in ["", "10.0.0.0/33", "localhost", "10.0.0/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
