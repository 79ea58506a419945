//! How many connections there may be, in all and for one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes as many open files for the process as the system lets it have, as
/// `#[arcly_http::main]` does first: the usual limit is 1,024, and each connection is one.
pub fn raise_open_files() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

/// How many connections there may be where so many were asked for: some files are left
/// to everything else, as who has none for a connection can refuse it neither.
pub(super) fn within_open_files(wanted: usize) -> usize {
    #[cfg(target_os = "linux")]
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(target_os = "linux"))]
    let files = None;
    let max = connections_of(files, wanted);
    if max < wanted {
        tracing::warn!(
            max,
            wanted,
            "fewer connections than configured: raise the limit of open files"
        );
    }
    max
}

fn connections_of(files: Option<u64>, wanted: usize) -> usize {
    let Some(files) = files.and_then(|files| usize::try_from(files).ok()) else { return wanted };
    wanted.min(files.saturating_sub((files / 8).max(64)).max(1))
}

/// Counts connections; a [`Place`] is held by each.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    ForAddress,
}

impl Places {
    pub(super) fn new(max: usize, address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, address_max, taken: Mutex::default() })
    }

    /// Takes a place, or says which limit is reached.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let address = address.map(network);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.count >= self.max {
            return Err(Full::InAll);
        }
        if let Some(address) = address {
            let own = taken.by_address.entry(address).or_default();
            if *own >= self.address_max {
                return Err(Full::ForAddress);
            }
            *own += 1;
        }
        taken.count += 1;
        Ok(Place { places: Arc::clone(self), address })
    }
}

/// One client often has a whole /64 of IPv6 to itself, so that counts as one address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.count -= 1;
        if let Some(address) = self.address
            && let Some(own) = taken.by_address.get_mut(&address)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let places = Places::new(3, 2);
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let first = places.take(Some(one)).unwrap();
        let _second = places.take(Some(one)).unwrap();
        assert_eq!(places.take(Some(one)).unwrap_err(), Full::ForAddress);
        drop(first);
        let _third = places.take(Some(one)).unwrap();
        let _other = places.take(None).unwrap();
        assert_eq!(places.take(None).unwrap_err(), Full::InAll);
    }

    #[test]
    fn some_files_are_left_to_everything_else() {
        assert_eq!(connections_of(None, 16_384), 16_384);
        assert_eq!(connections_of(Some(1 << 20), 16_384), 16_384);
        assert_eq!(connections_of(Some(1024), 16_384), 896);
        assert_eq!(connections_of(Some(256), 100), 100);
        assert_eq!(connections_of(Some(20), 100), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let places = Places::new(9, 1);
        let _held = places.take(Some("2001:db8::1".parse().unwrap())).unwrap();
        assert!(places.take(Some("2001:db8::2".parse().unwrap())).is_err());
        assert!(places.take(Some("2001:db8:0:1::2".parse().unwrap())).is_ok());
        let _v4 = places.take(Some("::ffff:10.0.0.1".parse().unwrap())).unwrap();
        assert!(places.take(Some("10.0.0.1".parse().unwrap())).is_err());
    }
}
