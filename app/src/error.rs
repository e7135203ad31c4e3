//! What pages and server functions get instead of an answer: a [`Problem`], never a back end's own words.

use crate::api::json::JsonText;
use headroom_model::problem::Problem;
use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// A problem on its way to the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct AppError(pub Problem);

impl AppError {
    /// A problem of one of the known kinds, see [`Problem::new`].
    #[must_use]
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }
}

impl From<Problem> for AppError {
    /// On the server it takes the id of the request with it, under which the log has the rest.
    fn from(problem: Problem) -> Self {
        #[cfg(feature = "ssr")]
        let problem = {
            let asked = leptos::prelude::use_context::<crate::doorway::RequestId>().map(|request| request.0);
            Problem { request_id: problem.request_id.or(asked), ..problem }
        };
        Self(problem)
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonText;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Request(_) => Self::new("unavailable", "Headroom does not answer. Check the connection and try again."),
            ServerFnErrorErr::Args(fault) | ServerFnErrorErr::MissingArg(fault) => {
                Self::new("malformed", format!("The form could not be read: {fault}"))
            }
            // On the server it is what came that is decoded, in the browser the answer.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Deserialization(_) => {
                Self::new("malformed", "The request could not be read. Reload the page and try again; a program sends JSON.")
            }
            _ => Self::new("internal", "The answer could not be read. Reload the page; if it stays, look at the server's log."),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<headroom_service::Error> for AppError {
    fn from(error: headroom_service::Error) -> Self {
        Problem::from(error).into()
    }
}
