//! Figures over everything, for the frame of each page and for the overview.

use crate::db::Sql;
use crate::error::Result;
use crate::recommendations::in_progress;
use crate::store::Store;
use headroom_model::auth::Teams;
use headroom_model::time::Timestamp;
use headroom_model::units::Money;
use headroom_model::view::{HeadroomDot, TeamCost};

/// What the frame of every page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Services that are there.
    pub services: u32,
    /// Open recommendations.
    pub open: u32,
    /// Changes that wait for an approval which this user may give: not their own.
    pub waiting: u32,
    /// Changes that are approved or under way.
    pub active_changes: u32,
    /// The clusters' names.
    pub clusters: Vec<String>,
    /// Cluster time of the newest sample.
    pub newest_sample: Option<Timestamp>,
}

/// The figures of the overview. Sums assume one currency, the one that most services are priced in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverviewNumbers {
    /// Services that are there.
    pub services: u32,
    /// Teams that own one.
    pub teams: u32,
    /// Services without a price, because they have no request or were not analysed yet.
    pub unpriced: u32,
    /// Open recommendations.
    pub open: u32,
    /// Changes that were verified; inconclusive ones are not.
    pub verified: u32,
    /// Changes that were rolled back.
    pub rolled_back: u32,
    /// Changes that ended with an effect: verified, inconclusive or rolled back.
    pub finished: u32,
    /// End of the newest analysis, cluster time.
    pub analysed_at: Option<Timestamp>,
    /// Cost a month of what is asked for.
    pub spend_month: Money,
    /// What the open recommendations would save a month.
    pub open_month: Money,
    /// Savings a month, measured and in force.
    pub achieved_month: Money,
    /// What those changes had promised.
    pub promised_month: Money,
}

/// The condition on a column that counts only what these teams own; the names are argument `number`.
fn own(teams: &Teams, column: &str, number: usize) -> String {
    teams.names().map_or_else(String::new, |_| format!(" AND {column} AMONG ${number}"))
}

/// The argument of [`own`].
fn with(teams: &Teams, statement: Sql) -> Sql {
    match teams.names() {
        Some(names) => statement.texts(names.into_iter().map(str::to_owned).collect()),
        None => statement,
    }
}

impl Store {
    /// The figures of the frame, in one statement.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn counts(&self, user: &str, teams: &Teams) -> Result<Counts> {
        let own = own(teams, "team", 3);
        let text = format!(
            "SELECT c.name, c.newest_sample, (SELECT COUNT(*) FROM changes WHERE state AMONG $1{own}) AS active_changes, \
             (SELECT COUNT(*) FROM changes WHERE state = 'PENDING_APPROVAL' AND requested_by <> $2{own}) AS waiting, \
             (SELECT COUNT(*) FROM services WHERE gone_at IS NULL{own}) AS services, \
             (SELECT COUNT(*) FROM optimization_recommendations WHERE state = 'OPEN'{own}) AS open_count \
             FROM clusters c ORDER BY c.name"
        );
        let active = in_progress().iter().map(ToString::to_string).collect();
        let rows = with(teams, Sql::built(text, Vec::new()).texts(active).text(user)).all(&mut self.read().await?).await?;
        let mut counts = Counts::default();
        for row in &rows {
            counts.services = row.count("services")?;
            counts.open = row.count("open_count")?;
            counts.waiting = row.count("waiting")?;
            counts.active_changes = row.count("active_changes")?;
            counts.clusters.push(row.text("name")?);
            counts.newest_sample = counts.newest_sample.max(row.maybe_time("newest_sample")?);
        }
        Ok(counts)
    }

    /// The figures of the overview, in one statement.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn overview_numbers(&self, teams: &Teams) -> Result<OverviewNumbers> {
        let (own, of_services) = (own(teams, "team", 1), own(teams, "s.team", 1));
        let text = format!(
            "SELECT s.*, r.*, c.*, l.* FROM \
             (SELECT COUNT(*) AS services, COUNT(DISTINCT s.team) AS teams, \
                SUM(CASE WHEN m.cost_micros IS NULL THEN 1 ELSE 0 END) AS unpriced, \
                CAST(SUM(m.cost_micros) AS BIGINT) AS spend_micros, MAX(m.analysed_at) AS analysed_at, MAX(m.currency) AS currency \
              FROM services s LEFT JOIN service_summary m ON m.service_id = s.id WHERE s.gone_at IS NULL{of_services}) s, \
             (SELECT COUNT(*) AS open_count, CAST(SUM(saving_micros) AS BIGINT) AS open_micros FROM optimization_recommendations WHERE state = 'OPEN'{own}) r, \
             (SELECT SUM(CASE WHEN state IN ('APPLIED', 'DRIFTED', 'CLOSED') AND judgement <> 'inconclusive' THEN 1 ELSE 0 END) AS verified, \
                SUM(CASE WHEN state IN ('APPLIED', 'DRIFTED', 'CLOSED', 'ROLLED_BACK') THEN 1 ELSE 0 END) AS finished, \
                SUM(CASE WHEN state = 'ROLLED_BACK' THEN 1 ELSE 0 END) AS rolled_back FROM changes WHERE 1 = 1{own}) c, \
             (SELECT CAST(SUM(achieved_micros) AS BIGINT) AS achieved_micros, \
                CAST(SUM(CASE WHEN achieved_micros IS NULL THEN 0 ELSE promised_micros END) AS BIGINT) AS promised_micros FROM ledger WHERE in_force{own}) l"
        );
        let row = with(teams, Sql::built(text, Vec::new())).one(&mut self.read().await?).await?;
        Ok(OverviewNumbers {
            services: row.count("services")?,
            teams: row.count("teams")?,
            unpriced: row.count("unpriced")?,
            open: row.count("open_count")?,
            verified: row.count("verified")?,
            rolled_back: row.count("rolled_back")?,
            finished: row.count("finished")?,
            analysed_at: row.maybe_time("analysed_at")?,
            spend_month: row.sum("spend_micros", "currency")?,
            open_month: row.sum("open_micros", "currency")?,
            achieved_month: row.sum("achieved_micros", "currency")?,
            promised_month: row.sum("promised_micros", "currency")?,
        })
    }

    /// Cost and idle share by team, most expensive first; services without a price count as services only.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn team_costs(&self, teams: &Teams) -> Result<Vec<TeamCost>> {
        let text = format!(
            "SELECT s.team AS team, COUNT(*) AS services, CAST(SUM(m.cost_micros) AS BIGINT) AS cost_micros, MAX(m.currency) AS currency, \
             SUM(m.cost_micros * m.idle_share) AS idle_micros FROM services s LEFT JOIN service_summary m ON m.service_id = s.id \
             WHERE s.gone_at IS NULL{} GROUP BY s.team ORDER BY COALESCE(SUM(m.cost_micros), 0) DESC, s.team",
            own(teams, "s.team", 1)
        );
        let rows = with(teams, Sql::built(text, Vec::new())).all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                let cost_month = row.sum("cost_micros", "currency")?;
                let idle = row.maybe_real("idle_micros")?.unwrap_or(0.0);
                let idle = if cost_month.micros > 0 { idle / cost_month.micros as f64 } else { 0.0 };
                Ok(TeamCost { team: row.text("team")?, services: row.count("services")?, cost_month, idle })
            })
            .collect()
    }

    /// Where the headroom is: one dot per priced service with a request, for CPU and for memory.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn headroom_dots(&self, teams: &Teams) -> Result<(Vec<HeadroomDot>, Vec<HeadroomDot>)> {
        let text = format!(
            "SELECT s.service_name, m.cpu_peak_share, m.memory_peak_share, m.cost_micros FROM services s \
             JOIN service_summary m ON m.service_id = s.id WHERE s.gone_at IS NULL AND m.cost_micros IS NOT NULL{} \
             ORDER BY s.service_name",
            own(teams, "s.team", 1)
        );
        let rows = with(teams, Sql::built(text, Vec::new())).all(&mut self.read().await?).await?;
        let (mut cpu, mut memory) = (Vec::new(), Vec::new());
        for row in &rows {
            let service_name = row.text("service_name")?;
            let cost_month = row.int("cost_micros")? as f64 / 1e6;
            for (column, dots) in [("cpu_peak_share", &mut cpu), ("memory_peak_share", &mut memory)] {
                if let Some(peak_share) = row.maybe_real(column)? {
                    dots.push(HeadroomDot { service_name: service_name.clone(), peak_share, cost_month });
                }
            }
        }
        Ok((cpu, memory))
    }
}
