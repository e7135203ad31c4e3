//! Where a request comes from.

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The last proxy's word where a proxy is trusted, else the connection's.
#[must_use]
pub fn address(headers: &HeaderMap, extensions: &Extensions, trusted_proxy: bool) -> String {
    let connected = || extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip().to_canonical().to_string());
    let forwarded = if trusted_proxy { last_forwarded(headers) } else { None };
    forwarded.or_else(connected).unwrap_or_else(|| "unknown".to_owned())
}

/// The end of the list, which is one over all lines of the header: a proxy may add a line of its own after one that a client has sent.
fn last_forwarded(headers: &HeaderMap) -> Option<String> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let entry = line.rsplit(',').next().map(str::trim).filter(|entry| !entry.is_empty())?;
    Some(without_port(entry).map_or_else(|| entry.chars().take(100).collect(), |ip| ip.to_canonical().to_string()))
}

/// Some proxies write the port, too.
fn without_port(entry: &str) -> Option<IpAddr> {
    let ip = entry.trim_start_matches('[').trim_end_matches(']').parse().ok();
    ip.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// What counts as one address: of IPv6, the 64 bits that one connection is given, because whoever has them has all that begin so.
#[must_use]
pub fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => format!("{}/64", Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        Ok(ip) => ip.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_forwarded_address_counts_only_behind_a_trusted_proxy() {
        let headers = forwarded(&["1.2.3.4, 10.9.8.7"]);
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5))));
        assert_eq!(address(&headers, &extensions, false), "127.0.0.1");
        assert_eq!(address(&headers, &extensions, true), "10.9.8.7");
        assert_eq!(address(&HeaderMap::new(), &extensions, true), "127.0.0.1");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_believed() {
        let said = |lines: &[&str]| address(&forwarded(lines), &Extensions::new(), true);
        assert_eq!(said(&["6.6.6.6", "10.9.8.7"]), "10.9.8.7", "a line that the proxy has added is the last");
        assert_eq!(said(&["6.6.6.6, 7.7.7.7", "1.1.1.1, 10.9.8.7"]), "10.9.8.7");
        assert_eq!(said(&["6.6.6.6", ""]), "unknown");
        assert_eq!(said(&["10.9.8.7:4711"]), "10.9.8.7");
        assert_eq!(said(&["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(said(&["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(said(&["::ffff:10.9.8.7"]), "10.9.8.7");
    }

    #[test]
    fn whoever_has_an_ipv6_network_is_one_address() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("::ffff:10.9.8.7"), "10.9.8.7");
        assert_eq!(network("10.9.8.7"), "10.9.8.7");
        assert_eq!(network("unknown"), "unknown");
    }
}
