//! Signing in with an identity provider that is told to lie, or whose answer somebody else brings: nobody is signed in.

use crate::app::{Browser, TestApp};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use headroom_model::auth::Role;
use headroom_server::config::{Config, Oidc, SecondFactor, SignIn};
use openidconnect::PrivateSigningKey;
use openidconnect::core::{CoreHmacKey, CoreJwsSigningAlgorithm};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const SECRET: &str = "what Headroom and its provider share";
const SIGN_IN: &str = "/sign-in/provider/callback";

/// A provider of the story's own. What is not to be lied about follows from the request.
#[derive(Clone)]
struct Provider {
    issuer: String,
    /// Claims that are laid over the true ones.
    lies: Arc<Mutex<Value>>,
    /// Signs with this.
    secret: Arc<Mutex<String>>,
    /// How often a code was exchanged.
    exchanged: Arc<Mutex<u32>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let secret = Arc::new(Mutex::new(SECRET.to_owned()));
        let provider = Self { issuer, lies: Arc::new(Mutex::new(json!({}))), secret, exchanged: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(async || Json(json!({ "keys": [] }))))
            .route("/token", post(token))
            .route("/userinfo", get(person))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn says(&self, lies: Value) {
        *self.lies.lock().unwrap() = lies;
    }

    fn exchanged(&self) -> u32 {
        *self.exchanged.lock().unwrap()
    }
}

async fn metadata(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer, "authorization_endpoint": at("/ask"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "userinfo_endpoint": at("/userinfo"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256"],
    }))
}

async fn person() -> Json<Value> {
    Json(json!({ "sub": "1", "preferred_username": "ann", "groups": ["platform"] }))
}

async fn token(State(provider): State<Provider>) -> Json<Value> {
    *provider.exchanged.lock().unwrap() += 1;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "iss": provider.issuer, "sub": "1", "aud": "headroom", "iat": now, "exp": now + 60 });
    for (name, value) in provider.lies.lock().unwrap().as_object().unwrap() {
        claims[name] = value.clone();
    }
    let text = format!("{}.{}", base64(br#"{"alg":"HS256"}"#), base64(claims.to_string().as_bytes()));
    let key = CoreHmacKey::new(provider.secret.lock().unwrap().as_bytes().to_vec());
    let signature = key.sign(&CoreJwsSigningAlgorithm::HmacSha256, text.as_bytes()).unwrap();
    Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": format!("{text}.{}", base64(&signature)) }))
}

/// As tokens have it: for addresses, and without an end.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sign = |group: u32, i: usize| char::from(SIGNS[(group >> (18 - 6 * i)) as usize & 63]);
    let group = |three: &[u8]| {
        let bits = three.iter().enumerate().fold(0, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
        (0..=three.len()).map(|i| sign(bits, i)).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

async fn with_provider(provider: &Provider) -> TestApp {
    let oidc = Oidc {
        issuer: provider.issuer.clone(),
        client_id: "headroom".to_owned(),
        client_secret: Some(SECRET.to_owned()),
        client_secret_file: None,
        label: "Single sign-on".to_owned(),
        scopes: Vec::new(),
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        roles: [("platform".to_owned(), Role::Engineer)].into(),
        teams: [].into(),
    };
    let config = Config { sign_in: SignIn { second_factor: SecondFactor::Off }, oidc: Some(oidc), ..Config::default() };
    TestApp::configured(Vec::new(), TempDir::new().unwrap(), config).await
}

/// Begins to sign in; what the provider is asked with: state and nonce.
async fn begins(browser: &mut Browser<'_>) -> (String, String) {
    let answer = browser.post("/sign-in/provider", &[("next", "/audit")]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap().replace("&amp;", "&");
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("{name}: {page}"));
        rest.chars().take_while(|c| !"&\"".contains(*c)).collect::<String>()
    };
    (value("state"), value("nonce"))
}

async fn comes_back(browser: &mut Browser<'_>, state: &str, code: &str) -> String {
    let answer = browser.get(&format!("{SIGN_IN}?code={code}&state={state}")).await;
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn is_nobody(browser: &mut Browser<'_>) -> bool {
    browser.get("/audit").await.headers().get("location").is_some_and(|l| l.to_str().unwrap().starts_with("/sign-in"))
}

fn new(app: &TestApp) -> Browser<'_> {
    Browser { app, cookie: String::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_and_in_its_own_browser_only() {
    let provider = Provider::start().await;
    let app = with_provider(&provider).await;
    let mut browser = new(&app);
    let (state, nonce) = begins(&mut browser).await;
    let held = browser.cookie.clone();
    provider.says(json!({ "nonce": nonce }));

    // What somebody else is sent, with a state of their own, no state, or no sign-in at all.
    let mut victim = new(&app);
    assert_eq!(comes_back(&mut victim, &state, "code").await, "/sign-in?error=provider");
    begins(&mut victim).await;
    assert_eq!(comes_back(&mut victim, &state, "code").await, "/sign-in?error=provider");
    begins(&mut victim).await;
    assert_eq!(comes_back(&mut victim, "", "code").await, "/sign-in?error=provider");
    assert!(is_nobody(&mut victim).await);
    assert_eq!(provider.exchanged(), 0, "the provider was not even asked");

    assert_eq!(comes_back(&mut browser, &state, "code").await, "/audit");
    assert_eq!(browser.get("/audit").await.status(), StatusCode::OK);
    assert_ne!(browser.cookie, held, "a new id");
    // The same answer again: in the session that it began, and with the cookie from before.
    assert_eq!(comes_back(&mut browser, &state, "code").await, "/sign-in?error=provider");
    let mut old = Browser { app: &app, cookie: held };
    assert_eq!(comes_back(&mut old, &state, "code").await, "/sign-in?error=provider");
    assert!(is_nobody(&mut old).await);
    assert_eq!(provider.exchanged(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_something_else_signs_nobody_in() {
    let provider = Provider::start().await;
    let app = with_provider(&provider).await;
    let lies = [
        json!({ "nonce": "another" }),
        json!({}),
        json!({ "aud": "somebody else" }),
        json!({ "aud": ["headroom", "somebody else"], "azp": "somebody else" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": 1_000_000_000 }),
        json!({ "sub": "2" }),
    ];
    for lie in lies {
        let mut browser = new(&app);
        let (state, nonce) = begins(&mut browser).await;
        let mut said = lie.clone();
        // Every lie but the first two is told with the right nonce: it alone is what is refused.
        if !lie.as_object().unwrap().is_empty() && lie["nonce"].is_null() {
            said["nonce"] = nonce.into();
        }
        provider.says(said);
        assert_eq!(comes_back(&mut browser, &state, "code").await, "/sign-in?error=provider", "{lie}");
        assert!(is_nobody(&mut browser).await, "{lie}");
    }
    let mut browser = new(&app);
    let (state, nonce) = begins(&mut browser).await;
    provider.says(json!({ "nonce": nonce }));
    *provider.secret.lock().unwrap() = "another key".to_owned();
    assert_eq!(comes_back(&mut browser, &state, "code").await, "/sign-in?error=provider");
    assert!(is_nobody(&mut browser).await, "signed by somebody else");
}
