//! What each policy would have asked for on the service's own history, one day at a time, deciding at 00:00 UTC from what
//! came before: the methods of [`crate::rightsize`], without any floor.

use crate::rightsize::{Day, Fleet, Followed, Method, follow};
use crate::samples::Samples;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Replay, ReplayRow};
use headroom_model::time::{DAY, Timestamp};
use headroom_model::units::Money;

/// What to replay.
pub(crate) struct Question<'a> {
    /// The metric shown.
    pub metric: Metric,
    /// The window that is known of it.
    pub samples: &'a Samples,
    /// Its samples, a day at a time.
    pub days: &'a [Day<'a>],
    /// The proposal, held over the whole window, and what its row is called.
    pub proposal: Option<(&'a str, f64)>,
    /// What Headroom's learner would have held day by day, where it was followed.
    pub daily: Option<&'a Followed>,
    /// What is asked for now.
    pub today: Option<f64>,
    /// Price of an amount over all replicas, if known.
    pub price: &'a dyn Fn(f64) -> Option<Money>,
}

/// Replays a question. The first two days only teach where there are four or more, else the first.
pub(crate) fn replay(q: &Question) -> Replay {
    let days = q.days;
    let taught = if days.len() >= 4 { 2 } else { days.len().min(2) / 2 };
    let scored = &days[taught..];
    let mut rows = Vec::with_capacity(7);
    let held = [q.proposal, q.today.map(|v| ("today", v))];
    for (name, value) in held.into_iter().flatten() {
        let mut score = Score::default();
        scored.iter().for_each(|day| score.day(day, value));
        rows.push(score.row(name, value, 0.0, (q.price)(value)));
    }
    if days.len() >= 2 {
        rows.extend(q.daily.and_then(|daily| row("daily", daily, days, taught, q)));
        for method in Method::ALL.into_iter().filter(|m| *m != Method::Headroom) {
            rows.extend(row(method.name(), &follow(method, q.metric, days, &Fleet::default()), days, taught, q));
        }
    }
    let at = |day: i64| Timestamp::from_secs(day * DAY);
    let from = scored.first().map_or_else(|| Timestamp::from_secs(q.samples.start), |d| at(d.day));
    let end = q.samples.time(q.samples.values.len());
    Replay { metric: q.metric, from: from.max(Timestamp::from_secs(q.samples.start)), to: Timestamp::from_secs(end), rows }
}

/// The row of a method that decides every day.
fn row(name: &str, held: &Followed, days: &[Day<'_>], taught: usize, q: &Question) -> Option<ReplayRow> {
    let mut score = Score::default();
    let (mut before, mut changes): (Option<f64>, u32) = (None, 0);
    for (day, value) in days.iter().zip(&held.days).skip(taught) {
        let Some(value) = *value else { continue };
        changes += u32::from(before.is_some_and(|old| (value - old).abs() > 0.001 * old));
        before = Some(value);
        score.day(day, value);
    }
    let asked = held.next?;
    let weeks = ((days.len() - taught) as f64 / 7.0).max(1.0 / 7.0);
    Some(score.row(name, asked, f64::from(changes) / weeks, (q.price)(asked)))
}

/// Sums over the days of one policy.
#[derive(Default)]
struct Score {
    asked: f64,
    used: f64,
    samples: u64,
    above: u64,
    worst: f64,
    breached_days: u32,
}

impl Score {
    fn day(&mut self, day: &Day<'_>, value: f64) {
        let (mut n, mut above, mut used) = (0u32, 0u32, 0.0);
        day.each(|v, times| {
            let v = f64::from(v);
            n += times;
            above += if v > value { times } else { 0 };
            used += v.min(value) * f64::from(times);
        });
        self.samples += u64::from(n);
        self.above += u64::from(above);
        self.asked += value * f64::from(n);
        self.used += used;
        self.worst = self.worst.max(f64::from(above) / f64::from(n.max(1)));
        self.breached_days += u32::from(above > 0);
    }

    fn row(&self, policy: &str, asked: f64, changes_per_week: f64, cost_month: Option<Money>) -> ReplayRow {
        ReplayRow {
            policy: policy.to_owned(),
            asked,
            slack: if self.asked > 0.0 { (1.0 - self.used / self.asked).clamp(0.0, 1.0) } else { 0.0 },
            breached: self.above as f64 / self.samples.max(1) as f64,
            worst_day: self.worst,
            breached_days: self.breached_days,
            changes_per_week,
            cost_month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rightsize::days;

    fn ask(values: Vec<f32>, metric: Metric, proposal: f64, today: f64) -> Replay {
        let samples = Samples { start: 86_400 * 20_000, step: 300, count: values.len(), values };
        let days = days(&samples);
        let daily = follow(Method::Headroom, metric, &days, &Fleet::default());
        let proposal = Some(("headroom", proposal));
        replay(&Question { metric, samples: &samples, days: &days, proposal, daily: Some(&daily), today: Some(today), price: &|_| None })
    }

    #[test]
    fn held_values_are_scored_exactly() {
        // Ten days at 1 core, each with 29 of 288 samples at 3 cores.
        let values = (0..2880).map(|i| if i % 288 >= 259 { 3.0 } else { 1.0 }).collect();
        let replay = ask(values, Metric::CpuUsage, 2.0, 4.0);
        let names: Vec<&str> = replay.rows.iter().map(|r| r.policy.as_str()).collect();
        assert_eq!(names, ["headroom", "today", "daily", "vpa", "krr", "autopilot", "aws"]);
        let (ours, today) = (&replay.rows[0], &replay.rows[1]);
        assert!((ours.breached - 29.0 / 288.0).abs() < 1e-9);
        assert_eq!((ours.breached_days, today.breached_days), (8, 0));
        assert!((today.slack - (1.0 - (29.0 * 3.0 + 259.0) / 288.0 / 4.0)).abs() < 1e-9);
        // Peers: p90 sees the tenth at 3 cores, p95 too; Autopilot weighs by load.
        for row in &replay.rows[3..] {
            assert!((2.9..4.0).contains(&row.asked), "{row:?}");
        }
        assert!((3.0..12.0).contains(&replay.rows[2].asked), "{:?}", replay.rows[2]);
    }

    #[test]
    fn memory_above_the_limit_is_an_oom_day() {
        let mut values = vec![1e9; 2880];
        values[5 * 288 + 3] = 2e9;
        let replay = ask(values, Metric::MemoryWorkingSet, 1.5e9, 4e9);
        assert_eq!(replay.rows[0].breached_days, 1);
        assert_eq!(replay.rows.iter().find(|r| r.policy == "krr").unwrap().breached_days, 1);
    }
}
