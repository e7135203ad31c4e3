//! What the OpenAPI document says besides the routes.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Server};
use utoipa::{Modify, OpenApi};

/// The document's frame.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headroom",
        description = "Analyse services, read recommendations with their evidence, carry them through approval, apply, observation and roll-back. Every error is an application/problem+json (RFC 9457). Every POST takes an Idempotency-Key: the same key with the same body has the same answer. What could not be read at all (400, 401, 413, 415, 429) leaves its key unused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Frame),
    security(("token" = []))
)]
pub struct Description;

struct Frame;

impl Modify for Frame {
    fn modify(&self, document: &mut Document) {
        document.servers = Some(vec![Server::new("/api/v1")]);
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}
