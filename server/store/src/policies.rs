//! Rules by scope, and settings.

use crate::db::sql;
use crate::error::Result;
use crate::store::{Store, Tx};
use headroom_model::ids::ServiceId;
use headroom_model::policy::{PolicyPatch, Scope};
use headroom_model::time::Timestamp;
use headroom_model::view::PolicyRow;

impl Tx {
    /// Sets what a scope says; an empty patch inherits everything. `at` is wall time.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn put_policy(&mut self, scope: &Scope, patch: &PolicyPatch, by: &str, at: Timestamp) -> Result<()> {
        sql("INSERT INTO policies (scope, patch, by, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (scope) DO UPDATE SET patch = excluded.patch, by = excluded.by, at = excluded.at")
        .text(scope.to_string())
        .json(patch)
        .text(by)
        .time(at)
        .run(self.on())
        .await
        .map(drop)
    }

    /// What a scope says as this transaction sees it; empty if it says nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn policy_patch(&mut self, scope: &Scope) -> Result<PolicyPatch> {
        let row = sql("SELECT patch FROM policies WHERE scope = $1").text(scope.to_string()).maybe(self.on()).await?;
        row.map_or_else(|| Ok(PolicyPatch::default()), |row| row.json("patch"))
    }

    /// Stores a setting.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn put_setting(&mut self, key: &str, value: &str) -> Result<()> {
        sql("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .text(key)
            .text(value)
            .run(self.on())
            .await
            .map(drop)
    }
}

impl Store {
    /// What every scope says, widest first; services are labelled with their names.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn policies(&self) -> Result<Vec<PolicyRow>> {
        let rows = sql("SELECT p.scope, p.patch, p.by, p.at, s.service_name FROM policies p \
             LEFT JOIN services s ON p.scope = 'service:' || CAST(s.id AS TEXT) ORDER BY p.scope")
        .all(&mut self.read().await?)
        .await?;
        let mut policies = Vec::with_capacity(rows.len());
        for row in &rows {
            let scope: Scope = row.word("scope")?;
            let label = match &scope {
                Scope::Fleet => "Fleet".to_owned(),
                Scope::Environment(name) => format!("Environment {name}"),
                Scope::Team(name) => format!("Team {name}"),
                Scope::Service(id) => format!("Service {}", row.maybe_text("service_name")?.unwrap_or_else(|| id.clone())),
            };
            let row = PolicyRow { scope: scope.to_string(), label, patch: row.json("patch")?, by: row.text("by")?, at: row.time("at")? };
            policies.push((scope, row));
        }
        policies.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(policies.into_iter().map(|(_, row)| row).collect())
    }

    /// What the scopes of one service say, widest first: fleet, environment, team, service.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn policy_patches(&self, environment: &str, team: &str, service: ServiceId) -> Result<Vec<PolicyPatch>> {
        let scopes = [Scope::Fleet, Scope::Environment(environment.into()), Scope::Team(team.into()), Scope::Service(service.to_string())];
        let on = &mut self.read().await?;
        let mut patches = Vec::new();
        for scope in scopes {
            let row = sql("SELECT patch FROM policies WHERE scope = $1").text(scope.to_string()).maybe(on).await?;
            patches.extend(row.map(|row| row.json("patch")).transpose()?);
        }
        Ok(patches)
    }

    /// A setting.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn setting(&self, key: &str) -> Result<Option<String>> {
        let row = sql("SELECT value FROM settings WHERE key = $1").text(key).maybe(&mut self.read().await?).await?;
        row.map(|row| row.text("value")).transpose()
    }
}
