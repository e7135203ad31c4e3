//! Sessions in Headroom's own database.

use crate::identity::{ADDRESS, AGENT, BEGAN, USER};
use async_trait::async_trait;
use headroom_model::time::{DAY, Timestamp};
use headroom_service::Headroom;
use headroom_store::{SessionRecord, Store};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// Days after which one has to sign in again, however much the session was used.
pub const SESSION_DAYS: i64 = 7;
/// Wall seconds between two notes of a session's use: a page is not a write.
const TOUCH_SECS: i64 = 300;

/// The session store that tower-sessions writes to. Ids are kept as hashes, so that a copy of the database signs nobody in.
#[derive(Clone)]
pub struct Sessions(Arc<Headroom>);

impl Sessions {
    /// Over Headroom's database.
    #[must_use]
    pub const fn new(headroom: Arc<Headroom>) -> Self {
        Self(headroom)
    }

    fn store(&self) -> &Store {
        self.0.store()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            match self.store().create_session(&stored(record, self.0.clocks().wall)?).await {
                // 128 random bits do not meet twice; should they, another id is drawn.
                Err(headroom_store::Error::Taken { .. }) => record.id = Id::default(),
                other => return other.map_err(backend),
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.store().save_session(&stored(record, self.0.clocks().wall)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = self.0.clocks().wall;
        let found = self.store().load_session(&key(id), now, self.0.idle_since()).await.map_err(backend)?;
        let Some(found) = found else { return Ok(None) };
        if now.secs_since(found.seen_at) >= TOUCH_SECS {
            self.store().touch_session(&found.id, now).await.map_err(backend)?;
        }
        let data = serde_json::from_slice(&found.data).map_err(|e| Error::Decode(e.to_string()))?;
        let nanos = i128::from(found.expires_at.micros()) * 1000;
        let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|e| Error::Decode(e.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store().delete_session(&key(id)).await.map_err(backend)
    }
}

fn stored(record: &Record, now: Timestamp) -> Result<SessionRecord> {
    let micros = i64::try_from(record.expiry_date.unix_timestamp_nanos() / 1000).map_err(|e| Error::Encode(e.to_string()))?;
    let text = |key: &str| record.data.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    let created_at = record.data.get(BEGAN).and_then(serde_json::Value::as_i64).map_or(now, Timestamp::from_micros);
    Ok(SessionRecord {
        id: key(&record.id),
        data: serde_json::to_vec(&record.data).map_err(|e| Error::Encode(e.to_string()))?,
        expires_at: Timestamp::from_micros(micros).min(created_at.plus_secs(SESSION_DAYS * DAY)),
        user: text(USER),
        created_at,
        seen_at: now,
        address: text(ADDRESS).unwrap_or_default(),
        agent: text(AGENT).unwrap_or_default(),
    })
}

/// The id under which a session is stored.
#[must_use]
pub fn key(id: &Id) -> String {
    hex::encode(Sha256::digest(id.0.to_le_bytes()))
}

fn backend(error: headroom_store::Error) -> Error {
    Error::Backend(error.to_string())
}
