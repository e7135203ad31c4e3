//! Signing in with an OpenID provider: the authorization code flow with PKCE. The provider says who somebody is and in which groups; the
//! configuration says which role and teams these are.

use crate::config::Oidc;
use futures::FutureExt;
use futures::future::BoxFuture;
use headroom_infra::Allowed;
use headroom_infra::outgoing::NotAllowed;
use headroom_model::auth::{Role, Teams};
use headroom_model::fault::chain;
use headroom_service::Provided;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreProviderMetadata};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, bytes.
const LONGEST: usize = 1 << 20;
/// The group of this team is in every team.
const EVERY_TEAM: &str = "*";

/// The provider.
pub struct Provider {
    oidc: Oidc,
    redirect: String,
    http: Http,
}

/// What a browser's session remembers while its person is with the provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    /// Where they wanted to go.
    pub next: String,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The provider does not answer, or not what it should.
    #[error("the identity provider: {0}")]
    Provider(String),
    /// The answer is not to a question of this browser.
    #[error("the answer does not belong to this sign-in")]
    NotAsked,
    /// None of their groups has a role here.
    #[error("{name} is in no group that has a role here (groups: {groups})")]
    NoRole {
        /// Who.
        name: String,
        /// What the provider says.
        groups: String,
    },
}

/// Every claim of somebody.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Claims {}

impl Provider {
    /// Nothing is asked yet: a provider that is down does not keep Headroom from starting.
    #[must_use]
    pub fn new(oidc: Oidc, address: String) -> Self {
        Self { oidc, redirect: format!("{address}/sign-in/provider/callback"), http: Http::new(PATIENCE) }
    }

    /// What the button says.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.oidc.label
    }

    /// Where to send the browser, and what to remember of it.
    ///
    /// # Errors
    /// [`Fault::Provider`].
    pub async fn begin(&self, next: &str) -> Result<(String, Begun), Fault> {
        let client =
            CoreClient::from_provider_metadata(self.metadata().await?, self.client_id(), self.secret()?).set_redirect_uri(self.redirect()?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let ask = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.oidc.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        let (url, state, nonce) = ask.url();
        let begun = Begun {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            next: next.to_owned(),
        };
        Ok((url.to_string(), begun))
    }

    /// Who came back: the code is exchanged, and what the provider signed is checked against its keys, issuer, audience, time and nonce.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn finish(&self, begun: Begun, state: &str, code: String) -> Result<Provided, Fault> {
        if !bool::from(begun.state.as_bytes().ct_eq(state.as_bytes())) {
            return Err(Fault::NotAsked);
        }
        let client =
            CoreClient::from_provider_metadata(self.metadata().await?, self.client_id(), self.secret()?).set_redirect_uri(self.redirect()?);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(provider)?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier))
            .request_async(&self.http)
            .await
            .map_err(provider)?;
        let id_token = tokens.id_token().ok_or_else(|| Fault::Provider("it sent no ID token".to_owned()))?;
        let verifier = client.id_token_verifier();
        let claims = id_token.claims(&verifier, &Nonce::new(begun.nonce)).map_err(provider)?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = id_token.signing_alg().map_err(provider)?;
            let key = id_token.signing_key(&verifier).map_err(provider)?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(provider)?;
            if actual != *expected {
                return Err(Fault::Provider("its access token is not the one that it signed for".to_owned()));
            }
        }
        let subject = claims.subject().clone();
        let mut said = Map::new();
        // Most providers keep groups out of the ID token and tell them here; the library checks that it is the same person.
        if let Ok(ask) = client.user_info(tokens.access_token().clone(), Some(subject.clone())) {
            let info: UserInfoClaims<Claims, CoreGenderClaim> = ask.request_async(&self.http).await.map_err(provider)?;
            said.extend(object(&info));
        }
        said.extend(object(claims));
        self.provided(&format!("{} {}", claims.issuer().as_str(), subject.as_str()), &said)
    }

    fn provided(&self, subject: &str, said: &Map<String, Value>) -> Result<Provided, Fault> {
        let text = |claim: &str| said.get(claim).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        let name = text(&self.oidc.name_claim).or_else(|| text("email")).or_else(|| text("sub")).unwrap_or_default();
        let groups: Vec<&str> = match said.get(&self.oidc.groups_claim) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            _ => Vec::new(),
        };
        let no_role = || Fault::NoRole { name: name.clone(), groups: groups.join(", ") };
        let role = groups.iter().filter_map(|group| self.oidc.roles.get(*group)).max().copied().ok_or_else(no_role)?;
        let teams: Vec<&str> = groups.iter().filter_map(|group| self.oidc.teams.get(*group)).map(String::as_str).collect();
        let everywhere = self.oidc.teams.is_empty() || teams.contains(&EVERY_TEAM) || role == Role::Administrator;
        let teams = match teams.as_slice() {
            _ if everywhere => Teams::ALL,
            [] => return Err(no_role()),
            names => Teams::of(names.iter().copied()),
        };
        Ok(Provided { subject: subject.to_owned(), name, role, teams })
    }

    async fn metadata(&self) -> Result<CoreProviderMetadata, Fault> {
        let issuer = IssuerUrl::new(self.oidc.issuer.clone()).map_err(provider)?;
        CoreProviderMetadata::discover_async(issuer, &self.http).await.map_err(provider)
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.oidc.client_id.clone())
    }

    fn redirect(&self) -> Result<RedirectUrl, Fault> {
        RedirectUrl::new(self.redirect.clone()).map_err(provider)
    }

    /// Read anew each time, so that a secret can be exchanged while Headroom runs.
    fn secret(&self) -> Result<Option<ClientSecret>, Fault> {
        let from_file = match &self.oidc.client_secret_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|e| Fault::Provider(format!("{}: cannot be read: {e}", path.display())))?.trim().to_owned())
            }
        };
        Ok(self.oidc.client_secret.clone().or(from_file).map(ClientSecret::new))
    }
}

/// What asks the provider: without following redirects, which would let its address lead anywhere, not at metadata addresses, whatever
/// it names as its own, and with limits to time and size.
struct Http(reqwest::Client);

impl Http {
    fn new(patience: Duration) -> Self {
        headroom_infra::install_tls();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).dns_resolver(Arc::new(Allowed::default()));
        Self(client.timeout(patience).build().unwrap_or_default())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let request = request.try_into()?;
        Allowed::default().check_url(reqwest::Request::url(&request))?;
        let mut answer = self.0.execute(request).await?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > LONGEST {
                return Err(Unanswered::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Unanswered;
    type Future = BoxFuture<'c, Result<HttpResponse, Unanswered>>;
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("does not answer: {0}")]
    Http(#[from] reqwest::Error),
    #[error("cannot be read: {0}")]
    Form(#[from] http::Error),
    #[error("is not asked: {0}")]
    NotAllowed(#[from] NotAllowed),
    #[error("answers more than {LONGEST} bytes")]
    TooLong,
}

/// A fault with all that lies beneath it.
fn provider(error: impl std::error::Error) -> Fault {
    Fault::Provider(chain(&error))
}

fn object(claims: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;
    use serde_json::json;

    #[tokio::test]
    async fn a_provider_may_not_redirect_talk_without_end_or_keep_silent() {
        let elsewhere = get(|| async { Redirect::to("/long") });
        let long = get(|| async { vec![b'x'; LONGEST + 1] });
        let silent = get(|| async { std::future::pending::<()>().await });
        let app = Router::new().route("/elsewhere", elsewhere).route("/long", long).route("/silent", silent);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let http = Http::new(Duration::from_millis(300));
        let ask = async |path: &str| {
            let request = http::Request::get(format!("http://{address}{path}")).body(Vec::new()).unwrap();
            http.send(request).await.map(|answer| answer.status().as_u16()).map_err(|e| e.to_string())
        };
        assert_eq!(ask("/elsewhere").await, Ok(303));
        assert_eq!(ask("/long").await, Err("answers more than 1048576 bytes".to_owned()));
        assert!(ask("/silent").await.unwrap_err().contains("does not answer"));
        let metadata = http::Request::get("http://169.254.169.254/latest/meta-data").body(Vec::new()).unwrap();
        assert!(http.send(metadata).await.unwrap_err().to_string().contains("metadata address"));
    }

    fn sign_in(said: Value) -> Result<Provided, Fault> {
        let text = "[oidc]\nissuer = \"https://id.example\"\nclient_id = \"h\"\n[oidc.roles]\nplatform = \"engineer\"\nleads = \"approver\"\n\
                    [oidc.teams]\nweb = \"team-web\"\nboard = \"*\"\n";
        let provider = Provider::new(Config::read("f", text).unwrap().oidc.unwrap(), "https://h.example".to_owned());
        provider.provided("issuer 1", said.as_object().unwrap())
    }

    #[test]
    fn groups_are_roles_and_teams() {
        let ann = sign_in(json!({ "preferred_username": "ann", "groups": ["platform", "leads", "web", "golf"] })).unwrap();
        assert_eq!((ann.name.as_str(), ann.role, ann.teams), ("ann", Role::Approver, Teams::of(["team-web"])));
        let bob = sign_in(json!({ "email": "bob@example.com", "groups": ["platform", "board"] })).unwrap();
        assert_eq!((bob.name.as_str(), bob.role, bob.teams), ("bob@example.com", Role::Engineer, Teams::ALL));
    }

    #[test]
    fn who_is_in_none_of_them_is_not_let_in() {
        for said in [json!({ "sub": "1" }), json!({ "sub": "1", "groups": ["golf", "web"] }), json!({ "sub": "1", "groups": ["platform"] })]
        {
            assert!(matches!(sign_in(said.clone()), Err(Fault::NoRole { .. })), "{said}");
        }
    }
}
