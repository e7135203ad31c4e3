//! Several Headroom processes on one PostgreSQL: who looks at the clusters, and how one hears what another did. SQLite has one process,
//! which leads and has nobody to talk to.

use crate::db::{Connection, sql};
use crate::error::Result;
use crate::store::{Pools, Store};
use async_recursion::async_recursion as boxed;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

/// The lock of the process that looks at the clusters, and the channel that all listen on.
const LEADER: i64 = 0x4865_6164_6c65_6164;
const CHANNEL: &str = "headroom";

/// Held by the one process that looks at the clusters; given up when dropped, and when its process or its connection dies.
#[derive(Debug)]
pub struct Leadership(Option<PgConnection>);

/// What other processes tell.
#[derive(Debug)]
pub struct Ears(PgListener);

impl Store {
    /// Becomes the leader, if there is none.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    #[boxed]
    pub async fn try_lead(&self) -> Result<Option<Leadership>> {
        let Pools::Postgres { readers, .. } = self.pools() else { return Ok(Some(Leadership(None))) };
        // The lock belongs to the connection: it must not go back among the others.
        let mut on = readers.acquire().await?.detach();
        let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER).fetch_one(&mut on).await?;
        Ok(held.then_some(Leadership(Some(on))))
    }

    /// Tells other processes that a topic has changed. `from` is this process's own name.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    #[boxed]
    pub async fn tell(&self, from: &str, topic: &str) -> Result<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let mut on: Connection = self.read().await?;
        sql("SELECT pg_notify($1, $2)").text(CHANNEL).text(format!("{from} {topic}")).run(&mut on).await.map(drop)
    }

    /// Listens to other processes; `None` where there are none.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    #[boxed]
    pub async fn hear(&self) -> Result<Option<Ears>> {
        let Pools::Postgres { readers, .. } = self.pools() else { return Ok(None) };
        let mut listener = PgListener::connect_with(readers).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Ears(listener)))
    }
}

impl Leadership {
    /// Whether it still holds.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it does not.
    #[boxed]
    pub async fn confirm(&mut self) -> Result<()> {
        if let Some(on) = &mut self.0 {
            sqlx::query("SELECT 1").execute(on).await?;
        }
        Ok(())
    }
}

impl Ears {
    /// The next thing that anyone told: who, and which topic. Connects again by itself when the database was away.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot.
    #[boxed]
    pub async fn next(&mut self) -> Result<(String, String)> {
        loop {
            let told = self.0.recv().await?;
            if let Some((from, topic)) = told.payload().split_once(' ') {
                return Ok((from.to_owned(), topic.to_owned()));
            }
        }
    }
}
