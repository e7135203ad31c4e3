//! Policy: what is in force for a service, and changing it at run time.

use crate::{Error, Headroom, Result, event, windows};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Teams};
use headroom_model::change::Substate;
use headroom_model::policy::{Policy, PolicyPatch, Scope};
use headroom_model::service::Service;
use headroom_model::view::PolicyRow;
use std::collections::BTreeMap;

/// Every scope's rules, read once for many services.
pub(crate) struct Patches(BTreeMap<Scope, PolicyPatch>);

impl Patches {
    /// The rules in force for a service: service over team over environment over fleet.
    pub(crate) fn policy_of(&self, service: &Service) -> Policy {
        let scopes = [
            Scope::Fleet,
            Scope::Environment(service.environment.clone()),
            Scope::Team(service.team.clone()),
            Scope::Service(service.id.to_string()),
        ];
        Policy::resolved(scopes.iter().filter_map(|s| self.0.get(s)))
    }
}

impl Headroom {
    pub(crate) async fn policy_patches(&self) -> Result<Patches> {
        let rows = self.store.policies().await?;
        Ok(Patches(rows.into_iter().filter_map(|row| Some((row.scope.parse().ok()?, row.patch))).collect()))
    }

    /// The rules in force for a service.
    pub(crate) async fn policy_of(&self, service: &Service) -> Result<Policy> {
        Ok(self.policy_patches().await?.policy_of(service))
    }

    /// The rules of the fleet.
    pub(crate) async fn fleet_policy(&self) -> Result<Policy> {
        let patches = self.policy_patches().await?;
        Ok(Policy::resolved(patches.0.get(&Scope::Fleet)))
    }

    /// The rules in force for a service, by its name in interfaces.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown service.
    #[boxed]
    pub async fn policy_for(&self, ctx: &OpContext, name: &str) -> Result<Policy> {
        ctx.require(Permission::Read)?;
        let service = self.service_seen(ctx, name).await?;
        self.policy_of(&service).await
    }

    /// Every scope that sets rules, of teams and services those that the actor sees; the fleet always among them.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when nobody is signed in.
    #[boxed]
    pub async fn policies(&self, ctx: &OpContext) -> Result<Vec<PolicyRow>> {
        ctx.require(Permission::Read)?;
        let mut rows = Vec::new();
        for row in self.store.policies().await? {
            if self.sees_scope(ctx, &row.scope).await? {
                rows.push(row);
            }
        }
        if !rows.iter().any(|r| r.scope == "fleet") {
            let at = ctx.now.wall;
            let row =
                PolicyRow { scope: "fleet".into(), label: "Everything".into(), patch: PolicyPatch::default(), by: "defaults".into(), at };
            rows.insert(0, row);
        }
        Ok(rows)
    }

    /// Whether a scope's rules are for something that the actor sees.
    async fn sees_scope(&self, ctx: &OpContext, scope: &str) -> Result<bool> {
        if ctx.teams == Teams::ALL {
            return Ok(true);
        }
        Ok(match scope.parse() {
            Ok(Scope::Fleet | Scope::Environment(_)) => true,
            Ok(Scope::Team(team)) => ctx.teams.include(&team),
            Ok(Scope::Service(id)) => match id.parse() {
                Ok(id) => self.store.service(id).await?.is_some_and(|service| ctx.teams.include(&service.team)),
                Err(_) => false,
            },
            Err(_) => false,
        })
    }

    /// Sets one rule of one scope from text; empty text inherits it again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the administrator's role; [`Error::Invalid`] names the rule or the scope.
    #[boxed]
    pub async fn set_policy(&self, ctx: &OpContext, scope: &Scope, key: &str, value: &str) -> Result<()> {
        ctx.require(Permission::ManagePolicy)?;
        if let Scope::Service(id) = scope {
            let id = id.parse().map_err(|_| Error::invalid("scope", format!("{id:?} is not a service's id")))?;
            self.store.service(id).await?.ok_or_else(|| Error::not_found("service", id))?;
        }
        if let Scope::Team(team) = scope
            && !self.store.teams().await?.contains(team)
        {
            return Err(Error::invalid("scope", format!("there is no team {team:?}")));
        }
        let mut tx = self.store.begin().await?;
        let before = tx.policy_patch(scope).await?;
        let mut after = before.clone();
        after.set(key, value).map_err(|e| Error::invalid(e.key, e.fault))?;
        after.change_windows.as_ref().map_or(Ok(()), windows::check)?;
        tx.put_policy(scope, &after, &ctx.actor, ctx.now.wall).await?;
        let mut entry = event(ctx, "policy.changed", "policy", scope);
        entry.before = serde_json::to_value(&before).ok();
        entry.after = serde_json::to_value(&after).ok();
        entry.reason = Some(format!("{key} = {}", if value.trim().is_empty() { "inherited" } else { value.trim() }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.rejudge(ctx).await?;
        self.announce("policy");
        Ok(())
    }

    /// Judges everything pending by the new rules: a plan whose rules have changed is out of date, and so is its approval.
    async fn rejudge(&self, ctx: &OpContext) -> Result<()> {
        let patches = self.policy_patches().await?;
        for mut change in self.waiting_changes().await? {
            let Some(service) = self.store.service(change.service_id).await? else { continue };
            if patches.policy_of(&service).plan_hash() == change.plan.policy_hash {
                continue;
            }
            let (from, version) = (change.state, change.version);
            if change.advance(Substate::Stale).is_ok() {
                change.reason = Some("the policy that this plan was judged by has changed: submit it again".to_owned());
                match self.save(ctx, &change, from, version).await {
                    // Somebody moved it on meanwhile: before anything is written it is checked against the rules in force.
                    Err(Error::Conflict(_)) => {}
                    saved => saved?,
                }
            }
        }
        Ok(())
    }
}
