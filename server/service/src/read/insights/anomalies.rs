//! When a service's metrics were not as they had been: alarms made into stretches of time.

use headroom_engine::anomalies::{ALARM, scores};
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::view::Anomaly;

/// Days that are looked at, and days before them that say what is usual.
pub(super) const DAYS: i64 = 7;
pub(super) const LEARNT_DAYS: i64 = 2;
/// What is looked at.
pub(super) const METRICS: [Metric; 8] = [
    Metric::LatencyP95,
    Metric::LatencyP99,
    Metric::ErrorRatio,
    Metric::CpuUsage,
    Metric::CpuUtilization,
    Metric::MemoryWorkingSet,
    Metric::MemoryUtilization,
    Metric::RequestRate,
];
/// What people suffer from, rather than what may have made them.
pub(super) const SYMPTOMS: [Metric; 3] = [Metric::LatencyP95, Metric::LatencyP99, Metric::ErrorRatio];
/// Fewest values of earlier days that say what is usual at a time of day.
const FEWEST: usize = 6;
/// What is not this much away from the usual is odd in its shape alone, and nobody's worry.
const MATTERS: f64 = 0.2;
/// Samples that a stretch reaches from its alarm at most, either way.
const LONGEST: usize = 60;

/// Everything odd in a history from a time on (seconds since the epoch), newest first.
pub(super) fn found(history: &ServiceHistory, since: i64) -> Vec<Anomaly> {
    let of = |metric: &Metric| history.get(*metric).map(|series| episodes(*metric, series)).unwrap_or_default();
    let matters = |a: &Anomaly| a.from.secs() >= since && (a.observed - a.usual).abs() >= MATTERS * a.usual.abs();
    let mut all: Vec<Anomaly> = METRICS.iter().flat_map(of).filter(matters).collect();
    all.sort_by_key(|a| std::cmp::Reverse((a.from, a.to)));
    all
}

/// The alarms of one series, each with the samples around it that are as far from the usual on the same side; alarms whose stretches
/// meet are one.
fn episodes(metric: Metric, series: &Series) -> Vec<Anomaly> {
    let samples: Vec<(i64, f64)> = series.points().collect();
    let mut all: Vec<(usize, usize, Anomaly)> = Vec::new();
    for (i, score) in scores(&samples).into_iter().enumerate().filter(|(_, score)| *score >= ALARM) {
        if let Some((_, to, last)) = all.last_mut().filter(|(_, to, _)| i <= *to + 1) {
            *to = (*to).max(i);
            last.score = last.score.max(score);
            last.to = last.to.max(end(&samples, i, series.step));
            continue;
        }
        let usual = usual(&samples[..=i]);
        let least = all.last().map_or(0, |(_, to, _)| to + 1);
        let (from, to) = stretch(&samples, i, usual, least);
        let distance = |s: &&(i64, f64)| (s.1 - usual).abs();
        let observed = samples[from..=to].iter().max_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(usual, |s| s.1);
        let (begin, end) = (Timestamp::from_secs(samples[from].0), end(&samples, to, series.step));
        all.push((from, to, Anomaly { metric, from: begin, to: end, score, observed, usual, after: None }));
    }
    all.into_iter().map(|(_, _, anomaly)| anomaly).collect()
}

fn end(samples: &[(i64, f64)], i: usize, step: u32) -> Timestamp {
    Timestamp::from_secs(samples[i].0 + i64::from(step))
}

/// What is usual at the newest sample's time of day: the median within an hour of it on earlier days, or of the day before where there
/// are too few.
fn usual(samples: &[(i64, f64)]) -> f64 {
    let now = samples.last().map_or(0, |s| s.0);
    let around = |time: i64| {
        let from = (now - time).rem_euclid(DAY);
        now - time > DAY / 2 && from.min(DAY - from) <= HOUR
    };
    let mut like: Vec<f64> = samples.iter().filter(|s| around(s.0)).map(|s| s.1).collect();
    if like.len() < FEWEST {
        like = samples.iter().filter(|s| s.0 >= now - DAY).map(|s| s.1).collect();
    }
    like.sort_unstable_by(f64::total_cmp);
    like.get(like.len() / 2).copied().unwrap_or(0.0)
}

/// The samples around an alarm that are at least half as far from the usual as it is, on its side.
fn stretch(samples: &[(i64, f64)], alarm: usize, usual: f64, least: usize) -> (usize, usize) {
    let away = samples[alarm].1 - usual;
    if away == 0.0 {
        return (alarm, alarm);
    }
    let with_it = |i: &usize| (samples[*i].1 - usual) / away >= 0.5;
    let back = (least.max(alarm.saturating_sub(LONGEST))..alarm).rev().take_while(with_it).count();
    let on = (alarm + 1..samples.len().min(alarm + LONGEST)).take_while(with_it).count();
    (alarm - back, alarm + on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(odd: impl Fn(usize) -> bool) -> Series {
        let value = |i: usize| if odd(i) { 400.0 } else { 40.0 + (i * 7919 % 13) as f32 };
        Series { start: 0, step: 300, values: (0..1500).map(value).collect() }
    }

    #[test]
    fn an_alarm_becomes_the_stretch_around_it() {
        let found = episodes(Metric::LatencyP99, &series(|i| (1200..1212).contains(&i)));
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.from.secs(), one.to.secs()), (1200 * 300, 1212 * 300));
        assert_eq!(one.observed, 400.0);
        assert!((40.0..60.0).contains(&one.usual), "{}", one.usual);
        assert!((ALARM..=1.0).contains(&one.score));
    }

    #[test]
    fn what_is_little_or_long_ago_is_not_told() {
        let history = |series| ServiceHistory { metrics: [(Metric::LatencyP99, series)].into() };
        let odd = history(series(|i| (1200..1212).contains(&i)));
        assert_eq!(found(&odd, 1200 * 300).len(), 1);
        assert_eq!(found(&odd, 1201 * 300), []);
        let mut little = series(|_| false);
        little.values.iter_mut().for_each(|v| *v += 1000.0);
        little.values[1200..1212].iter_mut().for_each(|v| *v += 100.0);
        assert_eq!(episodes(Metric::LatencyP99, &little).len(), 1);
        assert_eq!(found(&history(little), 0), [], "a tenth more is nobody's worry");
    }

    #[test]
    fn what_is_as_ever_is_no_anomaly_and_neither_is_nothing() {
        assert_eq!(episodes(Metric::CpuUsage, &series(|_| false)), []);
        assert_eq!(episodes(Metric::CpuUsage, &Series { start: 0, step: 300, values: vec![f32::NAN; 10] }), []);
        assert_eq!(found(&ServiceHistory::default(), 0), []);
    }
}
