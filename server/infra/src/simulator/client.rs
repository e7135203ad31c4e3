//! The simulator as a cluster among others.

use super::faults::Fault;
use super::wire::{self, ApplyRequest, ClockAnswer, DeployRequest, EditRequest, Failure, ShutOutRequest, SpeedRequest};
use super::world::{Namespace, NodePool, STEP};
use crate::infrastructure::{Error, Infrastructure, Live, Mutation, Preview, Purpose, Result, Written};
use crate::metrics::{Frames, MetricsSource};
use crate::outgoing::{Allowed, NotAllowed};
use async_trait::async_trait;
use headroom_model::fault::chain;
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::room::Room;
use headroom_model::service::{Service, ServiceKey};
use headroom_model::time::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the samples of a day may take.
const SAMPLES_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer that is read, bytes: several times a day of samples of ten thousand services.
const LONGEST: usize = 1 << 30;

/// A connection to a simulator. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    /// What the simulator calls its cluster, once it has answered.
    name: Arc<OnceLock<String>>,
    base: String,
    http: reqwest::Client,
    allowed: Allowed,
    timeout: Duration,
    longest: usize,
}

impl Client {
    /// A client of the simulator at `base_url` (`http://127.0.0.1:4100`). Its cluster has no name until it has answered. It goes where it
    /// is allowed to, and follows no redirect, which would lead elsewhere.
    ///
    /// # Panics
    /// Never: the connection has no TLS and no proxy that could fail to be set up.
    #[must_use]
    pub fn new(base_url: &str, allowed: &Allowed) -> Self {
        crate::install_tls();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(allowed.clone()))
            .connect_timeout(Duration::from_secs(3))
            .build();
        Self {
            name: Arc::default(),
            base: base_url.trim_end_matches('/').to_owned(),
            http: http.expect("no TLS and no proxy to set up"),
            allowed: allowed.clone(),
            timeout: TIMEOUT,
            longest: LONGEST,
        }
    }

    /// The same of one that answers, so that the cluster has its name.
    ///
    /// # Errors
    /// When the simulator does not answer, or requests may not go there.
    pub async fn connect(base_url: &str, allowed: &Allowed) -> Result<Self> {
        let client = Self::new(base_url, allowed);
        client.clock_answer().await?;
        Ok(client)
    }

    /// The same with another time limit per call.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn clock_answer(&self) -> Result<ClockAnswer> {
        let answer: ClockAnswer = self.get("clock").await?;
        let name = self.name.get_or_init(|| answer.cluster.clone());
        if *name != answer.cluster {
            let fault = format!("it was the cluster {name:?} and is now {:?}: start Headroom anew to watch that one", answer.cluster);
            return Err(Error::Protocol(fault));
        }
        Ok(answer)
    }

    /// Cluster seconds per wall second.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn speed(&self) -> Result<f64> {
        Ok(self.clock_answer().await?.speed)
    }

    /// Sets the clock's speed, 0 (it stands) to 100,000.
    ///
    /// # Errors
    /// [`Error::Refused`] outside these.
    pub async fn set_speed(&self, speed: f64) -> Result<()> {
        self.post("speed", &SpeedRequest { speed }, true).await
    }

    /// Makes the next calls fail.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn inject_fault(&self, fault: Fault) -> Result<()> {
        self.call(self.http.request(Method::POST, self.url("faults")).json(&fault), true).await.map(|_| ())
    }

    /// How often a write was asked for that had been made before.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn repeats(&self) -> Result<u64> {
        self.get("repeats").await
    }

    /// Writes fields as someone else would, past Headroom; clears Headroom's marks on them.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] for a field or value that is not allowed.
    pub async fn edit(&self, key: &ServiceKey, changes: &[FieldChange]) -> Result<Timestamp> {
        self.post("edit", &EditRequest { key: key.clone(), changes: changes.to_vec() }, true).await
    }

    /// Deletes a service and makes it anew under the same name, with another uid.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn recreate(&self, key: &ServiceKey) -> Result<Timestamp> {
        self.post("recreate", &EditRequest { key: key.clone(), changes: Vec::new() }, true).await
    }

    /// Deploys another version of a service, as a pipeline would: its pods are replaced.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn deploy(&self, key: &ServiceKey, version: &str) -> Result<Timestamp> {
        self.post("deploy", &DeployRequest { key: key.clone(), version: version.to_owned() }, true).await
    }

    /// Groups of nodes, and the rules of each namespace.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn capacity(&self) -> Result<(Vec<NodePool>, BTreeMap<String, Namespace>)> {
        self.get("nodes").await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(self.http.request(Method::GET, self.url(path)), false).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize, write: bool) -> Result<T> {
        self.json(self.http.request(Method::POST, self.url(path)).json(body), write).await
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder, write: bool) -> Result<T> {
        let body = self.call(request, write).await?;
        serde_json::from_slice(&body).map_err(|e| Error::Protocol(e.to_string()))
    }

    /// The body of an answer that is none of a failure.
    async fn call(&self, request: RequestBuilder, write: bool) -> Result<Vec<u8>> {
        let request = request.timeout(self.timeout).build().map_err(|e| lost(&e, write))?;
        self.allowed.check_url(request.url())?;
        let mut response = self.http.execute(request).await.map_err(|e| lost(&e, write))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| lost(&e, write))? {
            if body.len() + piece.len() > self.longest {
                return Err(Error::Protocol(format!("the answer is longer than {} bytes", self.longest)));
            }
            body.extend_from_slice(&piece);
        }
        if status < 300 {
            return Ok(body);
        }
        let failure = serde_json::from_slice(&body);
        let failure = failure.unwrap_or_else(|e| Failure { message: format!("status {status}: {e}"), drift: Vec::new() });
        Err(wire::error(status, failure, write))
    }
}

/// Why the name of the host was led nowhere, where that is why there is no connection.
fn not_allowed(error: &reqwest::Error) -> Option<NotAllowed> {
    let mut beneath: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(fault) = beneath {
        match fault.downcast_ref::<NotAllowed>() {
            Some(NotAllowed::NoAddress(_)) => return None,
            Some(refused) => return Some(refused.clone()),
            None => beneath = fault.source(),
        }
    }
    None
}

/// A call without an answer: surely nothing was done if no connection came about; otherwise a write is in doubt.
fn lost(error: &reqwest::Error, write: bool) -> Error {
    if let Some(refused) = not_allowed(error) {
        return refused.into();
    }
    if !write || error.is_connect() || error.is_builder() {
        let why = chain(error);
        return if error.is_decode() && !write { Error::Protocol(why) } else { Error::Unreachable(why) };
    }
    Error::Timeout
}

#[async_trait]
impl Infrastructure for Client {
    fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }
    async fn clock(&self) -> Result<Timestamp> {
        Ok(self.clock_answer().await?.now)
    }
    async fn inventory(&self) -> Result<Vec<Service>> {
        self.get("services").await
    }
    async fn rooms(&self) -> Result<BTreeMap<ServiceId, Room>> {
        self.get("rooms").await
    }
    async fn read(&self, key: &ServiceKey) -> Result<Live> {
        self.post("read", key, false).await
    }
    async fn preview(&self, plan: &Plan) -> Result<Preview> {
        self.post("preview", plan, false).await
    }
    async fn apply(&self, change: ChangeId, plan: &Plan, changes: &[FieldChange], purpose: Purpose) -> Result<Written> {
        let request = ApplyRequest { change, plan: plan.clone(), changes: changes.to_vec(), purpose };
        self.post("apply", &request, true).await
    }
    async fn shut_out(&self, change: ChangeId, target: &ServiceKey) -> Result<()> {
        // Asked again, it does nothing more: an answer that is lost leaves nothing in doubt.
        self.post("shut-out", &ShutOutRequest { change, target: target.clone() }, false).await
    }
    async fn mutations(&self, change: ChangeId) -> Result<Vec<Mutation>> {
        self.get(&format!("mutations/{change}")).await
    }
}

#[async_trait]
impl MetricsSource for Client {
    fn step(&self) -> u32 {
        STEP as u32
    }
    async fn range(&self, from: i64, to: i64) -> Result<Frames> {
        let request = self.http.request(Method::GET, format!("{}?from={from}&to={to}", self.url("metrics")));
        let slow = Self { timeout: SAMPLES_TIMEOUT.max(self.timeout), ..self.clone() };
        wire::decode(&slow.call(request, false).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;

    /// A server that is no simulator, at a port of `localhost`.
    async fn server() -> u16 {
        let clock = r#"{"now":"2026-11-18T10:00:00Z","speed":1.0,"cluster":"c"}"#;
        let app = Router::new()
            .route("/v1/clock", get(move || async move { clock }))
            .route("/v1/repeats", get(|| async { Redirect::temporary("/v1/clock") }))
            .route("/v1/nodes", get(|| async { vec![b' '; 5000] }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, app).await });
        port
    }

    #[tokio::test]
    async fn it_goes_only_where_it_may() {
        let port = server().await;
        let asked = async |host: &str, list: &[&str]| {
            let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
            let client = Client::new(&format!("http://{host}:{port}"), &list.try_into().unwrap());
            client.clock().await.map(drop).map_err(|e| e.to_string())
        };
        for (host, list) in
            [("localhost", &[][..]), ("127.0.0.1", &[]), ("localhost", &["LOCALHOST"]), ("localhost", &["127.0.0.0/8", "::1"])]
        {
            assert_eq!(asked(host, list).await, Ok(()), "{host} {list:?}");
        }
        for (host, list) in [("localhost", &["10.0.0.0/8"][..]), ("127.0.0.1", &["localhost"]), ("localhost", &["localhost.example"])] {
            let said = asked(host, list).await.unwrap_err();
            assert!(said.contains("outgoing.allow lists") && said.contains(host), "{host} {list:?}: {said}");
        }
        assert!(asked("169.254.169.254", &[]).await.unwrap_err().contains("metadata address"));
    }

    #[tokio::test]
    async fn it_follows_no_redirect_and_reads_no_answer_without_end() {
        let client = Client { longest: 4096, ..Client::new(&format!("http://127.0.0.1:{}", server().await), &Allowed::default()) };
        assert!(matches!(client.repeats().await, Err(Error::Protocol(why)) if why.contains("307")));
        assert!(matches!(client.capacity().await, Err(Error::Protocol(why)) if why.contains("longer than 4096 bytes")));
    }
}
