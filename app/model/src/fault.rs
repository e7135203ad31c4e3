//! Faults as the log tells them, and addresses as anybody may read them.

use std::error::Error;

/// A fault with all that lies beneath it, for the log: what to do stands at the top, why at the bottom. What a fault says of its cause
/// already is not said again.
#[must_use]
pub fn chain(fault: &dyn Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(beneath) = source {
        let why = beneath.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        source = beneath.source();
    }
    text
}

/// An address as it may be shown: without user, password and query, which may hold secrets. Where an unescaped `?` or `#` may be part of
/// a password, nothing but the scheme is left.
#[must_use]
pub fn shown(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(_, rest)| (&address[..address.len() - rest.len()], rest));
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (place, query) = rest.split_at(end);
    let place = if query.contains('@') { "…" } else { place.rsplit('@').next().unwrap_or_default() };
    format!("{scheme}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("nothing was done")]
    struct Above(#[source] Told);

    #[derive(Debug, thiserror::Error)]
    #[error("the file: {0}")]
    struct Told(#[source] io::Error);

    #[test]
    fn the_cause_is_told_once() {
        let fault = Above(Told(io::Error::other("the disk is full")));
        assert_eq!(chain(&fault), "nothing was done: the file: the disk is full");
    }

    #[test]
    fn no_secret_of_an_address_is_shown() {
        for (address, safe) in [
            ("postgres://me:se:cr@et@host:5432/db?sslmode=require", "postgres://host:5432/db"),
            ("postgres://host:5432/db?user=me&password=secret", "postgres://host:5432/db"),
            ("postgres://host/db?password=se@cret", "postgres://…"),
            ("postgres://me:sec#ret@host/db", "postgres://…"),
            ("postgres://me:sec/ret@host/db", "postgres://host/db"),
            ("secret@host/db", "host/db"),
            ("https://token@proxy.example.com/", "https://proxy.example.com/"),
            ("http://127.0.0.1:7001", "http://127.0.0.1:7001"),
        ] {
            assert_eq!(shown(address), safe);
        }
    }
}
