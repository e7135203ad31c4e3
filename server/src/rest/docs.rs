//! `/api/docs`: the reference as one page of our own, made from the OpenAPI document; no script, nothing from elsewhere.

use crate::problem::escape;
use headroom_model::problem::KINDS;
use serde_json::Value;
use std::fmt::Write as _;

/// The page.
pub fn page(document: &Value, css: &str) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">",
    );
    if !css.is_empty() {
        let _ = write!(out, "<link rel=\"stylesheet\" href=\"/pkg/{}\">", escape(css));
    }
    let _ = write!(
        out,
        "<title>API · Headroom</title></head><body><main id=\"main\" class=\"body\"><h1>Headroom API</h1><p>{}</p>\
         <p>Send <code>Authorization: Bearer TOKEN</code>; <code>headroom token create --user NAME</code> prints a token. \
         The same as a machine reads it: <a href=\"/api/openapi.json\">/api/openapi.json</a>. <a href=\"/\">Back to Headroom</a>.</p>",
        text(&document["info"]["description"])
    );
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            section(&mut out, method, path, operation);
        }
    }
    out += "<h2>Shapes</h2>";
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ = write!(out, "<section><h3 id=\"{0}\">{0}</h3>", escape(name));
        shape(&mut out, schema);
        out += "</section>";
    }
    out += "<h2>Problems</h2><dl>";
    for (kind, status, title) in KINDS {
        let _ = write!(out, "<dt id=\"{kind}\"><code>{kind}</code> {status}</dt><dd>{title}</dd>");
    }
    out + "</dl></main></body></html>"
}

fn section(out: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        out,
        "<section><h2><code>{} /api/v1{}</code></h2><p><strong>{}</strong></p>",
        escape(&method.to_uppercase()),
        escape(path),
        text(&operation["summary"])
    );
    if operation["description"].is_string() {
        let _ = write!(out, "<p>{}</p>", text(&operation["description"]));
    }
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        out.push_str("<table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">In</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead><tbody>");
        for p in parameters {
            let _ = write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&p["name"]),
                text(&p["in"]),
                kind(&p["schema"]),
                text(&p["description"])
            );
        }
        out.push_str("</tbody></table>");
    }
    for (_, media) in entries(&operation["requestBody"]["content"]) {
        let _ = write!(out, "<p>Body: {}</p>", kind(&media["schema"]));
    }
    out.push_str("<ul>");
    for (status, response) in entries(&operation["responses"]) {
        let body = entries(&response["content"]).next().map(|(media, m)| format!(": {} ({})", kind(&m["schema"]), escape(media)));
        let _ = write!(out, "<li>{} {}{}</li>", escape(status), text(&response["description"]), body.unwrap_or_default());
    }
    out.push_str("</ul></section>");
}

fn shape(out: &mut String, schema: &Value) {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|w| format!("<code>{}</code>", text(w))).collect();
        let _ = write!(out, "<p>{}</p>", words.join(", "));
        return;
    }
    if schema["description"].is_string() {
        let _ = write!(out, "<p>{}</p>", text(&schema["description"]));
    }
    out.push_str("<dl>");
    let parts = schema["allOf"].as_array().map_or_else(|| vec![schema], |all| all.iter().collect());
    for part in parts {
        if part["$ref"].is_string() {
            let _ = write!(out, "<dt>all of {}</dt>", kind(part));
        }
        for (name, property) in entries(&part["properties"]) {
            let _ = write!(out, "<dt><code>{}</code> {}</dt><dd>{}</dd>", escape(name), kind(property), text(&property["description"]));
        }
    }
    out.push_str("</dl>");
}

/// A schema in a few words, with a link where it has a name.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[key].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let name = match &schema["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    if name.starts_with("array") { format!("list of {}", kind(&schema["items"])) } else { escape(&name) }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_on_the_page_and_nothing_comes_from_elsewhere() {
        let document = serde_json::json!({
            "info": { "description": "a <b> c" },
            "paths": { "/services": { "get": { "summary": "List services", "responses": { "200": { "description": "A page" } },
                "parameters": [{ "name": "q", "in": "query", "description": "Part", "schema": { "type": ["string", "null"] } }] } } },
            "components": { "schemas": { "Verdict": { "type": "string", "enum": ["optimal"] } } }
        });
        let page = page(&document, "headroom.0.css");
        assert!(page.contains("GET /api/v1/services") && page.contains("List services") && page.contains("string or null"));
        assert!(page.contains("a &lt;b&gt; c") && page.contains("<code>optimal</code>"));
        assert!(page.contains("id=\"plan-mismatch\""), "the type of a problem leads here");
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("style="));
    }
}
