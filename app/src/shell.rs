//! The document around the app, and its content security policy.

use crate::App;
use leptos::prelude::*;
use leptos_meta::MetaTags;
use serde::{Deserialize, Serialize};

/// The names of the site's files under `/pkg/`, each with the hash of its content; the server provides it in the context.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Assets {
    /// The loader of the WASM module.
    pub js: String,
    /// The WASM module.
    pub wasm: String,
    /// The style sheet.
    pub css: String,
    /// The chart script, loaded when a chart comes into sight.
    pub chart: String,
    /// Fonts, preloaded.
    pub fonts: Vec<String>,
}

fn in_pkg(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| format!("/pkg/{name}"))
}

/// The document. Sets the policy as a header: scripts by nonce, styles from here, nothing framed.
pub fn shell(options: LeptosOptions) -> impl IntoView + use<> {
    let _ = options;
    let assets = use_context::<Assets>().unwrap_or_default();
    let nonce = use_nonce().map(|n| n.to_string());
    send_policy(nonce.as_deref());
    let fonts = assets.fonts.iter().filter(|f| f.contains("normal")).filter_map(|f| in_pkg(f));
    let fonts =
        fonts.map(|href| view! { <link rel="preload" href=href r#as="font" r#type="font/woff2" crossorigin="anonymous" /> }).collect_view();
    let start = start_script(&assets);
    let has_script = start.is_some();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme() data-chart=in_pkg(&assets.chart)>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="description" content="Headroom finds what services waste and where they hurt, and proves what each change did." />
                <link rel="icon" href="/favicon.svg" r#type="image/svg+xml" />
                {in_pkg(&assets.css).map(|href| view! { <link rel="stylesheet" href=href /> })}
                {fonts}
                {has_script.then(|| view! {
                    <link rel="modulepreload" href=in_pkg(&assets.js) nonce=nonce.clone() />
                    <link rel="preload" href=in_pkg(&assets.wasm) r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
                })}
                {start.map(|code| view! { <script r#type="module" nonce=nonce.clone() inner_html=code></script> })}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Loads the module and takes the page over. Should that fail, the page stays usable as it is, and says so.
fn start_script(assets: &Assets) -> Option<String> {
    let (js, wasm) = (in_pkg(&assets.js)?, in_pkg(&assets.wasm)?);
    Some(format!(
        "import(\"{js}\").then(async (page) => {{ await page.default({{ module_or_path: \"{wasm}\" }}); page.hydrate(); }})\
         .catch((fault) => {{ console.error(fault); const note = document.getElementById(\"start-failed\"); if (note) note.hidden = false; }});"
    ))
}

#[cfg(feature = "ssr")]
fn send_policy(nonce: Option<&str>) {
    use axum::http::{HeaderValue, header};
    let Some(response) = use_context::<leptos_axum::ResponseOptions>() else { return };
    let nonce = nonce.unwrap_or_default();
    let policy = format!(
        "script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

#[cfg(not(feature = "ssr"))]
fn send_policy(_nonce: Option<&str>) {}

/// The theme that this browser chose before; without one the system decides.
#[cfg(feature = "ssr")]
fn theme() -> Option<&'static str> {
    match crate::doorway::cookie("theme").as_deref() {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}

#[cfg(not(feature = "ssr"))]
fn theme() -> Option<&'static str> {
    None
}
