//! Where requests to other servers may go. An address is checked when a connection is made, after its name was looked up: a name that
//! leads elsewhere the next time (DNS rebinding) leads nowhere.

use headroom_model::fault::shown;
use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What clouds tell their machines at, credentials among it, where that is not a link-local address.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// The hosts and networks that requests may go to; every one when none is listed. Link-local and metadata addresses are never among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Allowed {
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

/// Why a request does not go out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Of the kind that is never asked.
    #[error("{host} is at {ip}, a link-local or metadata address, to which no request goes")]
    Metadata {
        /// The host as it was named.
        host: String,
        /// Its address.
        ip: IpAddr,
    },
    /// Neither the host nor its address is listed.
    #[error("{host} ({ip}) is not among the hosts and networks that requests may go to: outgoing.allow lists {list}")]
    NotListed {
        /// The host as it was named.
        host: String,
        /// Its address.
        ip: IpAddr,
        /// What is.
        list: String,
    },
    /// The name leads nowhere.
    #[error("{0} has no address")]
    NoAddress(String),
}

impl Allowed {
    /// Whether a connection to this address, which `host` was looked up to, may be made.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn check(&self, host: &str, ip: IpAddr) -> Result<(), NotAllowed> {
        let ip = ip.to_canonical();
        if is_metadata(ip) {
            return Err(NotAllowed::Metadata { host: host.to_owned(), ip });
        }
        let any = self.hosts.is_empty() && self.networks.is_empty();
        let host_listed = self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host.trim_end_matches('.')));
        if any || host_listed || self.networks.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        Err(NotAllowed::NotListed { host: host.to_owned(), ip, list: Vec::from(self.clone()).join(", ") })
    }

    /// Whether a request to this URL may be made, where it names its address itself; a name is looked up, and checked, when a connection
    /// is made.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn check_url(&self, url: &Url) -> Result<(), NotAllowed> {
        let host = url.host_str().unwrap_or_default();
        host.trim_matches(['[', ']']).parse::<IpAddr>().map_or(Ok(()), |ip| self.check(host, ip))
    }

    /// Those of a host's addresses that a connection may be made to.
    fn among(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotAllowed> {
        let refused = found.iter().find_map(|address| self.check(host, address.ip()).err());
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| self.check(host, address.ip()).is_ok()).collect();
        if allowed.is_empty() { Err(refused.unwrap_or_else(|| NotAllowed::NoAddress(host.to_owned()))) } else { Ok(allowed) }
    }
}

fn is_metadata(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local || METADATA.contains(&ip)
}

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, host) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(allowed.among(&host, found)?.into_iter());
            Ok(addresses)
        })
    }
}

impl TryFrom<Vec<String>> for Allowed {
    type Error = String;
    fn try_from(list: Vec<String>) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in list {
            if let Ok(ip) = entry.parse::<IpAddr>() {
                allowed.networks.push(ip.to_canonical().into());
            } else if let Ok(network) = entry.parse::<IpNet>() {
                allowed.networks.push(network.trunc());
            } else if is_host(&entry) {
                allowed.hosts.push(entry.to_ascii_lowercase());
            } else {
                let entry = shown(&entry);
                return Err(format!("{entry:?} is no host and no network: write names, such as metrics.example.com, or 10.20.0.0/16"));
            }
        }
        Ok(allowed)
    }
}

/// Whether it has the form of a name: with a letter, or it is a number or network that was mistyped.
fn is_host(text: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    text.len() <= 253 && text.split('.').all(label) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

impl From<Allowed> for Vec<String> {
    fn from(allowed: Allowed) -> Self {
        allowed.hosts.into_iter().chain(allowed.networks.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Vec::from(self.clone()).as_slice() {
            [] => f.write_str("every address but link-local and metadata ones"),
            list => write!(f, "{} alone", list.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(list: &[&str]) -> Allowed {
        Allowed::try_from(list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn goes(rules: &Allowed, host: &str, ip: &str) -> bool {
        rules.check(host, ip.parse().unwrap()).is_ok()
    }

    #[test]
    fn metadata_and_link_local_addresses_are_never_asked() {
        let named = allowed(&["metrics.example.com", "169.254.0.0/16", "0.0.0.0/0", "::/0"]);
        for rules in [Allowed::default(), named] {
            for ip in ["169.254.169.254", "169.254.1.2", "fe80::1", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"] {
                assert!(!goes(&rules, "metrics.example.com", ip), "{rules} {ip}");
            }
            assert!(goes(&rules, "metrics.example.com", "10.1.2.3"), "{rules}");
        }
    }

    #[test]
    fn with_a_list_only_its_hosts_and_networks() {
        let rules = allowed(&["Metrics.example.com", "10.20.0.0/16", "192.0.2.7", "2001:db8::/32"]);
        assert!(goes(&rules, "metrics.EXAMPLE.com", "203.0.113.9") && goes(&rules, "metrics.example.com.", "203.0.113.9"));
        for ip in ["10.20.255.1", "192.0.2.7", "2001:db8::9", "::ffff:10.20.0.1"] {
            assert!(goes(&rules, "other.example.com", ip), "{ip}");
        }
        for ip in ["10.21.0.1", "192.0.2.8", "127.0.0.1", "::1", "2001:db9::1"] {
            assert!(!goes(&rules, "other.example.com", ip), "{ip}");
        }
        assert!(!goes(&rules, "evil-metrics.example.com", "127.0.0.1"));
        let said = rules.check("other", "127.0.0.1".parse().unwrap()).unwrap_err().to_string();
        assert!(said.contains("outgoing.allow lists metrics.example.com, 10.20.0.0/16"), "{said}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_the_next_time_leads_nowhere() {
        let at = |ips: &[&str]| ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>();
        let rules = allowed(&["10.0.0.0/8"]);
        assert_eq!(rules.among("metrics", at(&["10.1.1.1"])), Ok(at(&["10.1.1.1"])));
        assert!(matches!(rules.among("metrics", at(&["127.0.0.1"])), Err(NotAllowed::NotListed { .. })));
        assert_eq!(rules.among("metrics", at(&["169.254.169.254", "10.1.1.1", "127.0.0.1"])), Ok(at(&["10.1.1.1"])));
        assert!(matches!(Allowed::default().among("metrics", at(&["169.254.169.254"])), Err(NotAllowed::Metadata { .. })));
        assert!(matches!(rules.among("metrics", Vec::new()), Err(NotAllowed::NoAddress(_))));
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_written() {
        let rules = allowed(&["10.0.0.0/8", "metrics.example.com"]);
        let goes = |url: &str| rules.check_url(&Url::parse(url).unwrap()).is_ok();
        assert!(goes("http://10.1.2.3:9090/") && goes("http://metrics.example.com/"));
        for url in ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:169.254.169.254]/"] {
            assert!(!goes(url), "{url}");
        }
    }

    #[test]
    fn what_is_neither_host_nor_network_is_named() {
        for entry in ["10.0.0.0/33", "10.0.0", "http://metrics.example.com", "a b", "", "*.example.com", "metrics:9090"] {
            let said = Allowed::try_from(vec![entry.to_owned()]).unwrap_err();
            assert!(said.contains(&format!("{entry:?} is no host")), "{said}");
        }
    }
}
