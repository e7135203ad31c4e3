//! `/events`: small messages that something changed; the page fetches anew what it shows.

use crate::identity::Caller;
use crate::problem::Refusal;
use crate::state::AppState;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::{Extension, Router};
use futures::{Stream, StreamExt, stream};
use headroom_model::view::LiveEvent;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// What a reader who was too slow is told: look at everything again.
const TOPICS: [&str; 6] = ["samples", "recommendations", "changes", "jobs", "policy", "users"];
/// A stream ends after this long, and the browser opens it anew: a locked user does not listen for ever.
const LONGEST: Duration = Duration::from_secs(900);

/// The route.
pub fn router() -> Router<AppState> {
    Router::new().route("/events", get(events))
}

async fn events(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    if caller.is_none() {
        return Err(Refusal::new("unauthenticated", "sign in to listen"));
    }
    let mut ending = state.ending.clone();
    let end = async move {
        tokio::select! {
            _ = ending.wait_for(|e| *e) => {}
            () = tokio::time::sleep(LONGEST) => {}
        }
    };
    let messages = BroadcastStream::new(state.headroom.live()).flat_map(|item| stream::iter(messages(item))).take_until(Box::pin(end));
    Ok(Sse::new(messages.map(Ok)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn messages(item: Result<LiveEvent, BroadcastStreamRecvError>) -> Vec<Event> {
    let events = match item {
        Ok(event) => vec![event],
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            TOPICS.iter().map(|topic| LiveEvent { topic: (*topic).to_owned(), rev: missed }).collect()
        }
    };
    events.iter().filter_map(|e| Event::default().json_data(e).ok()).collect()
}
