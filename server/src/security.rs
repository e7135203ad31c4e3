//! What every answer says to browsers, and which requests of theirs are refused.

use crate::config::Config;
use crate::problem::Refusal;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tower_http::csrf::{CsrfLayer, ProtectionError};

/// For answers that set no policy of their own: no script at all.
const STRICT: &str =
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Forms without JavaScript return to the page they came from, so the page's own site sees where that was.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// Adds the headers; pages are never kept, because what they show depends on who has signed in.
pub async fn headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let out = response.headers_mut();
    for (name, value) in HEADERS {
        out.entry(name).or_insert(HeaderValue::from_static(value));
    }
    out.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(STRICT));
    out.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if state.config.secure() {
        out.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        only_over_tls(out);
    }
    response
}

/// Cookies that pages set know nothing of TLS; behind it, none may travel without.
fn only_over_tls(out: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = out.entry(header::SET_COOKIE) else { return };
    for cookie in cookies.iter_mut() {
        let text = cookie.to_str().unwrap_or_default();
        if !text.split(';').any(|part| part.trim().eq_ignore_ascii_case("secure")) {
            // Text and "; Secure" are visible characters both, so this cannot fail.
            *cookie = HeaderValue::from_str(&format!("{text}; Secure")).unwrap_or_else(|_| cookie.clone());
        }
    }
}

/// What answers a request from another site.
pub type Csrf = CsrfLayer<fn(ProtectionError) -> Response<Body>>;

/// Refuses what another site's page sends, by `Sec-Fetch-Site` and `Origin`. The API takes no cookies, so nothing can be forged there.
pub fn same_site_only(config: &Config) -> Csrf {
    let layer = CsrfLayer::new().with_insecure_bypass(|_, uri| uri.path().starts_with("/api/v1/"));
    let layer = match config.public_url.as_deref().map(|u| u.trim_end_matches('/')) {
        // The configuration has checked that it is an origin.
        Some(origin) => layer.clone().add_trusted_origin(origin).unwrap_or(layer),
        None => layer,
    };
    layer.with_rejection_response(foreign as fn(ProtectionError) -> Response<Body>)
}

fn foreign(_: ProtectionError) -> Response<Body> {
    Refusal::new("forbidden", "this came from another site's page: open Headroom itself and do it there").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_tls_every_cookie_is_secure_once() {
        let mut out = HeaderMap::new();
        for cookie in ["theme=dark; Path=/; HttpOnly", "__Host-headroom=x; Secure; Path=/"] {
            out.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
        }
        only_over_tls(&mut out);
        let cookies: Vec<&str> = out.get_all(header::SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect();
        assert_eq!(cookies, ["theme=dark; Path=/; HttpOnly; Secure", "__Host-headroom=x; Secure; Path=/"]);
    }
}
