//! Takes connections and answers on them, without patience for who sends half a request or for an answer that does not come.

use crate::problem::Refusal;
use crate::state::AppState;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use headroom_model::fault::chain;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How long is waited for the other side, and for Headroom itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the moment that a connection could carry a request until that request's head is there.
    pub head: Duration,
    /// From there until an answer begins, reading the request's body among it. What is streamed after that, such as events and exports,
    /// takes the time that it takes.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(60), answer: Duration::from_secs(60) }
    }
}

/// Answers on every connection that comes until `ending` becomes true; then requests that are under way are finished, and it returns.
pub async fn serve(mut listener: TcpListener, router: Router, patience: Patience, mut ending: watch::Receiver<bool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut open = JoinSet::new();
    loop {
        let (stream, from) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            _ = ending.wait_for(|ended| *ended) => break,
        };
        while open.try_join_next().is_some() {}
        open.spawn(connection(http.clone(), stream, from, router.clone(), ending.clone()));
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection(http: http1::Builder, stream: TcpStream, from: SocketAddr, router: Router, mut ending: watch::Receiver<bool>) {
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        request.map(Body::new)
    });
    let mut answering = std::pin::pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = &mut answering => Some(ended),
        () = async { drop(ending.wait_for(|ended| *ended).await) } => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            answering.as_mut().graceful_shutdown();
            answering.await
        }
    };
    // The other side has gone, or was not waited for any longer: nobody is left to tell.
    if let Err(error) = ended {
        tracing::debug!(error = %chain(&error), %from, "a connection ended early");
    }
}

/// Gives up on an answer that does not begin in time, and on a request whose body does not come.
pub async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(state.patience.answer, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(path, "no answer in {:?}: given up", state.patience.answer);
            Refusal::new("timeout", "this took too long and was given up: look at what is there now, then try again").into_response()
        }
    }
}
