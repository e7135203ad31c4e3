//! The static site inside the binary: style, scripts, fonts, WASM, each with its compressed copies. A debug build reads it from disk.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use headroom_app::Assets;
use headroom_model::fault::chain;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;
use std::borrow::Cow;

#[derive(RustEmbed)]
#[folder = "../target/site"]
#[allow_missing = true]
struct Files;

/// The names of the site's files, as the page refers to them; `None` when the site was not built.
#[must_use]
pub fn assets() -> Option<Assets> {
    let manifest = Files::get("manifest.json")?;
    serde_json::from_slice(&manifest.data).map_err(|e| tracing::error!(error = %chain(&e), "manifest.json is not what the page needs")).ok()
}

/// Answers a request for a file of the site; `None` when there is no such file.
#[must_use]
pub fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let name = path.trim_start_matches('/');
    if name.is_empty() || name == "manifest.json" || name.ends_with(".br") || name.ends_with(".gz") {
        return None;
    }
    let (encoding, file) = best(name, headers)?;
    let tag = format!("\"{}{}\"", hex::encode(&file.metadata.sha256_hash()[..12]), encoding.map(|e| format!("-{e}")).unwrap_or_default());
    let fresh = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.split(',').any(|t| t.trim() == tag));
    let mut response = if fresh { StatusCode::NOT_MODIFIED.into_response() } else { body(file.data).into_response() };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_rule(name)));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    if !fresh {
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
        if let Some(encoding) = encoding {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
    }
    Some(response)
}

/// What is part of the binary is sent from there, without a copy.
fn body(data: Cow<'static, [u8]>) -> Body {
    match data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    }
}

/// The smallest copy that the browser takes.
fn best(name: &str, headers: &HeaderMap) -> Option<(Option<&'static str>, rust_embed::EmbeddedFile)> {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(accepted, encoding))
        .find_map(|(encoding, end)| Files::get(&format!("{name}.{end}")).map(|f| (Some(encoding), f)))
        .or_else(|| Files::get(name).map(|f| (None, f)))
}

/// Whether an `Accept-Encoding` takes this coding (RFC 9110, 12.5.3): named, and not with a weight of zero.
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let zero = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        name.trim().eq_ignore_ascii_case(coding) && !zero
    })
}

/// Names under `pkg/` carry the hash of their content and never change.
fn cache_rule(name: &str) -> &'static str {
    if name.starts_with("pkg/") { "public, max-age=31536000, immutable" } else { "public, max-age=3600" }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "wasm" => "application/wasm",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_with_weight_zero_is_refused() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("deflate", "br"));
    }

    #[test]
    fn the_manifest_and_paths_outside_the_site_are_not_served() {
        for path in ["/manifest.json", "/", "/../Cargo.toml", "/pkg/../../Cargo.toml", "/pkg/nothing.js"] {
            assert!(file(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn hashed_names_are_kept_for_ever_and_others_are_not() {
        assert!(cache_rule("pkg/headroom.0123.css").contains("immutable"));
        assert!(!cache_rule("favicon.svg").contains("immutable"));
    }
}
