//! The days of services that an analysis is made of: what was kept of closed days, and the samples of those that are new since. What is
//! made of a day that is closed is kept in turn.

use crate::{Error, Headroom, Result};
use headroom_engine::{DaySketch, sketch};
use headroom_model::ids::ServiceId;
use headroom_model::series::ServiceHistory;
use headroom_model::service::{Managed, Service};
use headroom_model::time::{DAY, Span, Timestamp};
use headroom_store::ServiceDay;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Windows shorter than this are of samples: they begin and end within days.
const SHORT: i64 = 2 * DAY;

/// What is known of a service over the window of an analysis.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    /// Oldest first.
    pub(crate) days: Vec<DaySketch>,
    /// Its end, cluster time.
    pub(crate) now: Timestamp,
}

/// What is kept of a service's days, and from where on its samples have to be read.
struct Plan {
    kept: Vec<DaySketch>,
    /// Seconds since the epoch.
    from: i64,
    /// The versions of closed days from there on, by day.
    versions: BTreeMap<i64, i64>,
}

impl Headroom {
    /// What is known of services over a period that ends at these times, in their order; one of two days or more begins at 00:00 UTC. That of a service
    /// whose samples were imported ends with its newest.
    pub(crate) async fn known(&self, services: &[(&Service, Timestamp)], period: Span) -> Result<Vec<Known>> {
        let ids: Vec<ServiceId> = services.iter().map(|(service, _)| service.id).collect();
        let Some(first) = services.iter().map(|(_, now)| now.secs()).min() else { return Ok(Vec::new()) };
        let last = services.iter().map(|(_, now)| now.secs()).max().unwrap_or(first);
        let (from, period) = (first - period.secs(), period.secs());
        let ends = |service: &Service, now: Timestamp, end: Option<i64>| match end {
            Some(end) if service.managed == Managed::Observed => Timestamp::from_secs(end),
            _ => now,
        };
        if period < SHORT {
            let mut histories = self.store.history(&ids, None, from, last + 1).await?;
            let window = |(service, now): &(&Service, Timestamp)| {
                let history = histories.remove(&service.id).unwrap_or_default();
                let now = ends(service, *now, end_of(&history));
                Known { days: DaySketch::of(&history.slice(now.secs() - period, now.secs() + 1)), now }
            };
            return Ok(services.iter().map(window).collect());
        }
        let mut all = self.days(&ids, from.div_euclid(DAY), last + 1).await?;
        let window = |(service, now): &(&Service, Timestamp)| {
            let mut days = all.remove(&service.id).unwrap_or_default();
            let now = ends(service, *now, sketch::end(&days));
            days.retain(|day| day.day() >= (now.secs() - period).div_euclid(DAY));
            Known { days, now }
        };
        Ok(services.iter().map(window).collect())
    }

    /// The days of services from one day (since 1970) on, until a time (seconds since the epoch).
    async fn days(&self, ids: &[ServiceId], first: i64, to: i64) -> Result<HashMap<ServiceId, Vec<DaySketch>>> {
        // What is open before what is closed: a day that is closed in between is then seen twice, never not at all.
        let open = self.store.open_since(ids, first * DAY).await?;
        let rows = self.store.service_days(ids, first, (to - 1).div_euclid(DAY)).await?;
        // A day after `to` has begun, or is still open, is not whole.
        let whole = move |service: &ServiceId, day: i64| {
            (day + 1) * DAY <= open.get(service).map_or(to, |open| to.min(open - open.rem_euclid(DAY)))
        };
        let mut plans = on_all_cores({
            let (ids, whole) = (ids.to_vec(), whole.clone());
            move || plans(&ids, rows, first, whole)
        })
        .await?;
        let mut news = self.news(&plans, to).await?;
        // Days of another step than those that were kept are put on one grid with them, which takes all samples.
        let step = |days: &[DaySketch]| days.last().map(DaySketch::step);
        let unlike = |(id, plan): (&ServiceId, &mut Plan)| {
            let differs = step(&plan.kept).zip(news.get(id).and_then(|days| step(days))).is_some_and(|(a, b)| a != b);
            differs.then(|| plan.forget(first)).map(|()| *id)
        };
        let unlike: Vec<ServiceId> = plans.iter_mut().filter_map(unlike).collect();
        if !unlike.is_empty() {
            let again: HashMap<ServiceId, Plan> = unlike.iter().filter_map(|id| Some((*id, plans.get(id)?.again()))).collect();
            news.extend(self.news(&again, to).await?);
        }
        self.keep_closed(&plans, &news, whole).await?;
        let mut out = HashMap::with_capacity(ids.len());
        for (id, plan) in plans {
            let mut days = plan.kept;
            days.extend(news.remove(&id).unwrap_or_default());
            out.insert(id, days);
        }
        Ok(out)
    }

    /// The days that have to be made of samples.
    async fn news(&self, plans: &HashMap<ServiceId, Plan>, to: i64) -> Result<HashMap<ServiceId, Vec<DaySketch>>> {
        let mut by_begin: BTreeMap<i64, Vec<ServiceId>> = BTreeMap::new();
        plans.iter().for_each(|(id, plan)| by_begin.entry(plan.from).or_default().push(*id));
        let mut out = HashMap::with_capacity(plans.len());
        for (from, ids) in by_begin {
            let histories: Vec<(ServiceId, ServiceHistory)> = self.store.history(&ids, None, from, to).await?.into_iter().collect();
            let made = on_all_cores(move || histories.par_iter().map(|(id, history)| (*id, DaySketch::of(history))).collect::<Vec<_>>());
            out.extend(made.await?);
        }
        Ok(out)
    }

    /// Keeps what was made of days that are closed.
    async fn keep_closed(
        &self,
        plans: &HashMap<ServiceId, Plan>,
        news: &HashMap<ServiceId, Vec<DaySketch>>,
        whole: impl Fn(&ServiceId, i64) -> bool,
    ) -> Result<()> {
        let closed = |(service, days): (&ServiceId, &Vec<DaySketch>)| {
            let (service, versions) = (*service, plans.get(service).map(|plan| &plan.versions));
            let closed = days.iter().filter_map(|day| {
                let version = *versions?.get(&day.day()).filter(|_| whole(&service, day.day()))?;
                Some(ServiceDay { service, day: day.day(), version, sketch: Some(day.encode()) })
            });
            closed.collect::<Vec<_>>()
        };
        let closed: Vec<ServiceDay> = news.iter().flat_map(closed).collect();
        if closed.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        tx.keep_days(&closed).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Plan {
    /// Takes nothing of what was kept.
    fn forget(&mut self, first: i64) {
        self.kept.clear();
        self.from = first * DAY;
    }

    fn again(&self) -> Self {
        Self { kept: Vec::new(), from: self.from, versions: self.versions.clone() }
    }
}

/// For each service the days of which something was kept, up to the first of which nothing was.
fn plans(ids: &[ServiceId], rows: Vec<ServiceDay>, first: i64, whole: impl Fn(&ServiceId, i64) -> bool + Sync) -> HashMap<ServiceId, Plan> {
    let mut by_service: HashMap<ServiceId, Vec<ServiceDay>> = HashMap::with_capacity(ids.len());
    rows.into_iter().for_each(|row| by_service.entry(row.service).or_default().push(row));
    let plan = |id: &ServiceId| {
        let rows = by_service.get(id).map(Vec::as_slice).unwrap_or_default();
        let kept = rows.iter().take_while(|row| whole(id, row.day)).map_while(|row| DaySketch::decode(row.sketch.as_deref()?));
        let kept: Vec<DaySketch> = kept.collect();
        let from = kept.last().map_or(first, |day| day.day() + 1) * DAY;
        let versions = rows.iter().map(|row| (row.day, row.version)).collect();
        (*id, Plan { kept, from, versions })
    };
    ids.par_iter().map(plan).collect()
}

/// The end of the newest interval of any metric.
fn end_of(history: &ServiceHistory) -> Option<i64> {
    history.metrics.values().filter_map(|s| s.last().map(|(t, _)| t.secs() + i64::from(s.step))).max()
}

async fn on_all_cores<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|fault| Error::Internal(format!("reading days broke: {fault}")))
}

#[cfg(test)]
mod tests;
