//! Which addresses may be connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use arcly_http_core::config::ConfigValue;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What may be reached although it is not public: a network (`10.1.0.0/16`, or one
/// address), or a host by its name (`billing.internal`, `*.internal`), where a port may
/// follow (`billing.internal:8080`).
///
/// A network allows its addresses under whatever name; a name allows whatever it
/// resolves to, which is the word of those who answer for that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Network(IpNet),
    Host { name: String, below: bool, port: Option<u16> },
}

const EXPECTED: &str =
    "a network such as `10.0.0.0/8`, or a host such as `billing.internal`, `*.internal:8080`";

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self(Kind::Network(network.trunc())));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(Kind::Network(address.into())));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| EXPECTED.to_owned())?)),
            None => (text, None),
        };
        let (host, below) = match host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (host, false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || host.starts_with('.') || !host.chars().all(plain) {
            return Err(EXPECTED.to_owned());
        }
        Ok(Self(Kind::Host { name: host.to_ascii_lowercase(), below, port }))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Network(network) => network.fmt(f),
            Kind::Host { name, below, port } => {
                let below = if *below { "*." } else { "" };
                write!(f, "{below}{name}")?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

impl ConfigValue for Destination {
    fn kind() -> String {
        "network or host".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

/// What a client may connect to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub(crate) allowed: Vec<Destination>,
    pub(crate) is_everything: bool,
}

impl Reach {
    /// Whether an address may be connected to for the sake of a host, which is a name
    /// or the address itself.
    pub(crate) fn permits(&self, host: &str, port: u16, address: IpAddr) -> bool {
        if self.is_everything || is_public(address) {
            return true;
        }
        // A name with a dot at the end is the same name.
        let host = host.strip_suffix('.').unwrap_or(host);
        self.allowed.iter().any(|destination| match &destination.0 {
            // An IPv4 address in IPv6 clothes is connected to by IPv4.
            Kind::Network(network) => {
                network.contains(&address) || network.contains(&address.to_canonical())
            }
            Kind::Host { name, below, port: only } => {
                let is_named = if *below {
                    host.len() > name.len()
                        && host.get(host.len() - name.len()..).is_some_and(|end| {
                            end.eq_ignore_ascii_case(name)
                                && host.as_bytes()[host.len() - name.len() - 1] == b'.'
                        })
                } else {
                    host.eq_ignore_ascii_case(name)
                };
                is_named && only.is_none_or(|only| only == port)
            }
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// Special-purpose addresses (IANA's registry, RFC 6890), and what clouds put beside.
const NOT_PUBLIC_V4: [Ipv4Net; 17] = [
    v4(0, 0, 0, 0, 8),        // "this network"; Linux connects to itself
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT; Alibaba's metadata
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's host
    v4(169, 254, 0, 0, 16),   // link-local; metadata of most clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments; Oracle's metadata
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// Of IPv6, only global unicast is public: this leaves out loopback, unspecified,
/// unique-local, link-local, multicast, IPv4-mapped and NAT64 addresses.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What is not public within that; some have an IPv4 address inside.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),     // protocol assignments, Teredo
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4
    v6(0x3fff, 0, 20),     // documentation
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[track_caller]
    fn check(allowed: &str, host: &str, port: u16, address: &str, expected: bool) {
        let allowed = vec![allowed.parse().unwrap()];
        let reach = Reach { allowed, is_everything: false };
        let address = address.parse().unwrap();
        assert_eq!(reach.permits(host, port, address), expected, "{host}:{port} {address}");
    }

    #[test]
    fn what_is_allowed_is_reached_and_nothing_beside_it() {
        check("10.1.0.0/16", "x.org", 80, "10.1.2.3", true);
        check("10.1.0.0/16", "x.org", 80, "10.2.2.3", false);
        check("127.0.0.1", "127.0.0.1", 80, "::ffff:127.0.0.1", true);
        check("billing.internal", "BILLING.internal.", 80, "10.0.0.1", true);
        check("billing.internal", "x.billing.internal", 80, "10.0.0.1", false);
        check("billing.internal:8080", "billing.internal", 80, "10.0.0.1", false);
        check("*.internal", "billing.internal", 80, "10.0.0.1", true);
        check("*.internal", "internal", 80, "10.0.0.1", false);
        check("*.internal", "evilinternal", 80, "10.0.0.1", false);
        for wrong in ["", "*.", "a b", "x:y", "http://x", "user@x"] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
