//! The way from a page or a server function to the service: who is asking, in which request, and how the answer goes back.

use crate::api::Done;
use crate::error::AppError;
use crate::form::Flash;
use crate::link::{decode, encode};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use headroom_model::auth::{OpContext, Person};
use headroom_model::problem::Problem;
use headroom_service::Headroom;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is signed in, read anew with every request; the server provides it in the context of every request that has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInUser(pub Person);

/// Who still has to show a second factor, instead of [`SignedInUser`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfSignedInUser(pub Person);

/// The id under which the request's session is stored; the server provides it in the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(pub String);

/// What the button of the identity provider says; the server provides it in the context where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderLabel(pub String);

/// The id of the request; the server provides it in the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

const FLASH: &str = "headroom_flash";
/// Browsers keep at most 4 KiB per cookie; what was typed beyond this is cut.
const FLASH_BYTES: usize = 3_600;

/// The service and who asks it.
pub struct Door {
    /// The use cases.
    pub service: Arc<Headroom>,
    /// Who is asking, when, in which request.
    pub ctx: OpContext,
}

/// The service, whoever asks.
///
/// # Errors
/// `internal` if the server did not provide it.
pub fn service() -> Result<Arc<Headroom>, AppError> {
    use_context::<Arc<Headroom>>().ok_or_else(|| AppError::new("internal", "the page was rendered without a service"))
}

/// The service and the signed-in user. Without one, sends the browser to the sign-in page, and back here afterwards.
///
/// # Errors
/// `unauthenticated` without a session.
pub async fn doorway() -> Result<Door, AppError> {
    let service = service()?;
    let Some(SignedInUser(person)) = use_context::<SignedInUser>() else {
        let page =
            if service.needs_first_run().await? { "/first-run".to_owned() } else { format!("/sign-in?next={}", encode(&page_path())) };
        leptos_axum::redirect(&page);
        return Err(AppError::new("unauthenticated", "your session has ended: sign in again"));
    };
    Ok(Door { ctx: context(&service, person), service })
}

/// The same for who still has to show a second factor.
///
/// # Errors
/// `unauthenticated` without a session.
pub fn half_door() -> Result<Door, AppError> {
    let service = service()?;
    let half = use_context::<HalfSignedInUser>().map(|h| h.0).or_else(|| use_context::<SignedInUser>().map(|s| s.0));
    let person = half.ok_or_else(|| AppError::new("unauthenticated", "sign in first"))?;
    Ok(Door { ctx: context(&service, person), service })
}

fn context(service: &Headroom, person: Person) -> OpContext {
    OpContext::of(person, use_context::<RequestId>().map(|r| r.0).unwrap_or_default(), service.clocks())
}

/// The id under which the session that asks is stored.
#[must_use]
pub fn session_id() -> String {
    use_context::<SessionId>().map(|s| s.0).unwrap_or_default()
}

impl Door {
    /// Does the work once per key: the same form sent twice has the same answer.
    ///
    /// # Errors
    /// Those of the work; `key-reused` if the key belongs to another form.
    pub async fn once(&self, key: &str, request: &str, work: impl Future<Output = Result<Done, AppError>>) -> Result<Done, AppError> {
        if let Some(known) = self.known(key, request).await? {
            return Ok(known);
        }
        let (done, claim) = self.service.claimed(&self.ctx, key, request, work).await;
        let done = match done {
            Ok(done) => done,
            // Sent twice at the same time: what came of the other one is the answer, if that is known already.
            Err(error) => return self.known(key, request).await?.ok_or(error),
        };
        let body = serde_json::to_vec(&without_secret(&done)).unwrap_or_default();
        self.service.remember(&claim, 200, &body).await?;
        Ok(done)
    }

    /// What this form was answered when it was sent before.
    async fn known(&self, key: &str, request: &str) -> Result<Option<Done>, AppError> {
        let answer = self.service.replayed(&self.ctx, key, request).await?;
        Ok(answer.and_then(|(_, body)| serde_json::from_slice(&body).ok()))
    }
}

/// What is remembered of an answer: not a secret, which is shown once and kept as a hash only.
fn without_secret(done: &Done) -> Done {
    match done.secret {
        None => done.clone(),
        Some(_) => Done::said("This form was sent before. What it made was shown then, once: make another if you need it."),
    }
}

/// Sends the outcome of a form back. A browser without JavaScript is redirected to the page, which finds the outcome and what was
/// typed in a cookie that lives for one page; the script gets the outcome itself.
///
/// # Errors
/// The outcome's own.
pub fn answer(form: &str, typed: &[(&str, &str)], outcome: Result<Done, AppError>) -> Result<Done, AppError> {
    if !plain_form() {
        if let Err(e) = &outcome {
            set_status(e.status());
        }
        return outcome;
    }
    let path = page_path();
    let link = outcome.as_ref().ok().and_then(|d| d.link.clone());
    let target = link.unwrap_or_else(|| path.clone());
    let failed = outcome.is_err();
    let mut flash =
        Flash { form: form.to_owned(), path: target.split(['?', '#']).next().unwrap_or_default().to_owned(), ..Flash::default() };
    match outcome {
        Ok(done) => flash.done = Some(done),
        Err(AppError(problem)) => flash.problem = Some(problem),
    }
    if failed {
        flash.typed = typed.iter().map(|(k, v)| ((*k).to_owned(), v.chars().take(1_500).collect())).collect();
    }
    put_flash(&flash);
    leptos_axum::redirect(&target);
    Ok(Done::default())
}

/// Whether the request is a form that a browser sent by itself.
fn plain_form() -> bool {
    parts(|p| p.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))).unwrap_or(false)
}

fn parts<T>(read: impl FnOnce(&Parts) -> T) -> Option<T> {
    use_context::<Parts>().map(|p| read(&p))
}

/// The page that the person looks at: the request's own path, or the one that a server function was called from.
#[must_use]
pub fn page_path() -> String {
    let referrer = |p: &Parts| p.headers.get(header::REFERER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Uri>().ok());
    let path = parts(|p| if p.uri.path().starts_with("/fn/") { referrer(p) } else { Some(p.uri.clone()) }).flatten();
    let path = path.and_then(|uri| uri.path_and_query().map(|p| p.as_str().to_owned())).unwrap_or_default();
    if path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') { path } else { "/".to_owned() }
}

/// Sets the status of the answer.
pub fn set_status(status: u16) {
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        response.set_status(status);
    }
}

/// The value of a cookie, decoded.
#[must_use]
pub fn cookie(name: &str) -> Option<String> {
    let all = parts(|p| {
        let values = p.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('=')).find(|(k, _)| *k == name).map(|(_, v)| decode(v))
    });
    all.flatten()
}

/// Sets a cookie for a number of seconds.
pub fn set_cookie(name: &str, value: &str, seconds: u32) {
    let text = format!("{name}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax", encode(value));
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&text)) {
        response.append_header(header::SET_COOKIE, value);
    }
}

fn put_flash(flash: &Flash) {
    let pack = |flash: &Flash| serde_json::to_string(flash).unwrap_or_default();
    let mut text = pack(flash);
    if encode(&text).len() > FLASH_BYTES {
        text = pack(&Flash { typed: BTreeMap::new(), ..flash.clone() });
    }
    set_cookie(FLASH, &text, 60);
}

/// The outcome of the form that led to this page; it is there once.
#[must_use]
pub fn take_flash() -> Option<Flash> {
    let flash = serde_json::from_str(&cookie(FLASH)?).ok();
    set_cookie(FLASH, "", 0);
    flash
}

/// A key under which a form of this page is done once.
#[must_use]
pub fn fresh_key() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A problem as the page's own status: 404 and 403 are pages too.
pub fn page_status(problem: &Problem) {
    set_status(problem.status);
}
