//! The first page: what is spent, what was achieved, what is open, what needs a person.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::Substate;
use headroom_model::recommendation::Verdict;
use headroom_model::time::Timestamp;
use headroom_model::view::{Attention, ChangeQuery, ChangeRow, Overview, ServiceQuery, ServiceRow};

/// Most lines of "needs a person".
const ATTENTION: usize = 6;

impl Headroom {
    /// The figures of the first page.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn overview(&self, ctx: &OpContext) -> Result<Overview> {
        ctx.require(Permission::Read)?;
        let numbers = self.store.overview_numbers(&ctx.teams).await?;
        let (cpu, memory) = self.store.headroom_dots(&ctx.teams).await?;
        let changes = self.changes(ctx, &ChangeQuery { limit: 100, uncounted: true, ..ChangeQuery::default() }).await?.items;
        let starved = ServiceQuery { verdict: Verdict::Under.as_str().into(), sort: "-cost".into(), limit: 3, ..ServiceQuery::default() };
        let starved = self.store.service_rows(&starved, &ctx.teams).await?.items;
        Ok(Overview {
            clusters: self.store.clusters().await?.into_iter().map(|c| c.name).collect(),
            services: numbers.services,
            teams: numbers.teams,
            analysed_at: numbers.analysed_at,
            spend_month: numbers.spend_month,
            unpriced: numbers.unpriced,
            achieved_month: numbers.achieved_month,
            promised_month: numbers.promised_month,
            open: numbers.open,
            open_month: numbers.open_month,
            verified: numbers.verified,
            rolled_back: numbers.rolled_back,
            finished: numbers.finished,
            attention: attention(&changes, &starved, ctx.now.cluster),
            team_costs: self.store.team_costs(&ctx.teams).await?,
            cpu,
            memory,
            ledger: self.store.ledger_curve(&ctx.teams).await?,
            prices: self.prices.source.clone(),
            prices_age_days: self.prices.age_days(ctx.now.wall),
            now: ctx.now.cluster,
        })
    }
}

fn attention(changes: &[ChangeRow], starved: &[ServiceRow], now: Timestamp) -> Vec<Attention> {
    let mut out = Vec::new();
    let waiting: Vec<&ChangeRow> = changes.iter().filter(|c| c.state == Substate::PendingApproval).collect();
    if let Some(first) = waiting.first() {
        let link = if waiting.len() == 1 {
            format!("/recommendations/{}", first.recommendation_id)
        } else {
            "/recommendations?view=waiting".into()
        };
        let title = match waiting.len() {
            1 => format!("{} waits for approval", first.service_name),
            n => format!("{n} changes wait for approval"),
        };
        out.push(line("act", title, first.title.clone(), link, "Review"));
    }
    for change in changes {
        let link = format!("/recommendations/{}", change.recommendation_id);
        match change.state {
            Substate::Partial | Substate::RollbackFailed => out.push(line(
                "bad",
                format!("{}: {}", change.service_name, change.state.plain().to_lowercase()),
                change.reason.clone().unwrap_or_default(),
                link,
                "Act",
            )),
            Substate::Observing => out.push(line(
                "warn",
                format!("{}: observing {}", change.service_name, change.id.short()),
                format!("{:.0} % of the observation is over", change.progress.unwrap_or(0.0) * 100.0),
                link,
                "Watch",
            )),
            Substate::RolledBack if change.rolled_back_at.is_some_and(|at| now.secs_since(at) < 86_400) => out.push(line(
                "bad",
                format!("{} was rolled back", change.service_name),
                change.reason.clone().unwrap_or_default(),
                link,
                "Why",
            )),
            _ => {}
        }
    }
    for row in starved {
        let title = format!("{} has less than it needs", row.service_name);
        let detail = if row.open > 0 { "a proposal is ready" } else { "see its findings" };
        out.push(line("bad", title, detail.to_owned(), format!("/services/{}", row.service_name), "Review"));
    }
    out.truncate(ATTENTION);
    out
}

fn line(tone: &str, title: String, detail: String, link: String, act: &str) -> Attention {
    Attention { tone: tone.to_owned(), title, detail, link, act: act.to_owned() }
}
