//! Where a request comes from.

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use std::net::SocketAddr;

/// The last proxy's word where a proxy is trusted, else the connection's.
#[must_use]
pub fn address(headers: &HeaderMap, extensions: &Extensions, trusted_proxy: bool) -> String {
    let forwarded = headers
        .get("x-forwarded-for")
        .filter(|_| trusted_proxy)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.rsplit(',').next())
        .map(|v| v.trim().to_owned());
    let connected = || extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip().to_string());
    forwarded.or_else(connected).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_behind_a_trusted_proxy() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 10.9.8.7".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5))));
        assert_eq!(address(&headers, &extensions, false), "127.0.0.1");
        assert_eq!(address(&headers, &extensions, true), "10.9.8.7");
        assert_eq!(address(&HeaderMap::new(), &extensions, true), "127.0.0.1");
    }
}
