//! Right-sizing: the values that each method would have held, scored against the use of the days they were held for.

use headroom_engine::rightsize::{Held, Method};
use headroom_infra::import::{Imported, read_usage_csv};
use headroom_model::metric::Metric;
use headroom_model::series::Series;
use headroom_model::time::DAY;
use headroom_offline::replay::hold;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// A request per second is taken as so many cores where a source has only those.
const CORES_PER_REQUEST: f32 = 0.001;

/// All scored samples of one method.
#[derive(Default)]
struct Pool {
    /// (used, held, hours)
    samples: Vec<(f64, f64, f64)>,
    series: u32,
    days: u32,
    unclean: u32,
    changes: u32,
}

impl Pool {
    /// Adds a series whose first `skip` days with samples only teach. One that is never used at all is left out.
    fn add(&mut self, series: &Series, held: &[Held], skip: usize) {
        let days: BTreeSet<i64> = series.points().map(|(t, _)| t.div_euclid(DAY)).collect();
        let Some(first) = days.iter().nth(skip).map(|d| d * DAY) else { return };
        if !series.present().any(|v| v > 0.0) {
            return;
        }
        self.series += 1;
        self.days += (days.len() - skip) as u32;
        let held: Vec<Held> = held.iter().copied().filter(|h| h.to > first).collect();
        self.changes += held.windows(2).filter(|w| (w[1].value - w[0].value).abs() > 0.001 * w[0].value).count() as u32;
        let hours = f64::from(series.step) / 3600.0;
        let (mut at, mut unclean) = (0, BTreeSet::new());
        for (time, used) in series.points().filter(|p| p.0 >= first) {
            while held.get(at).is_some_and(|h| h.to <= time) {
                at += 1;
            }
            let Some(h) = held.get(at).filter(|h| h.from <= time) else { continue };
            self.samples.push((used, h.value, hours));
            if used > h.value {
                unclean.insert(time.div_euclid(DAY));
            }
        }
        self.unclean += unclean.len() as u32;
    }

    /// Slack with all values scaled by one factor.
    fn slack(&self, factor: f64) -> f64 {
        let (used, held) = self
            .samples
            .iter()
            .fold((0.0, 0.0), |(u, h), (used, held, hours)| (u + used.min(factor * held) * hours, h + factor * held * hours));
        1.0 - used / held
    }

    /// The smallest factor at which no more than a share `breach` of the samples is above the value.
    fn factor(&self, breach: f64) -> f64 {
        let ratio = |(used, held, _): &(f64, f64, f64)| if *used > 0.0 { used / held } else { 0.0 };
        let mut ratios: Vec<f64> = self.samples.iter().map(ratio).collect();
        let above = ((ratios.len() as f64 * breach) as usize).min(ratios.len() - 1);
        *ratios.select_nth_unstable_by(above, |a, b| b.total_cmp(a)).1
    }

    fn breach(&self) -> f64 {
        self.samples.iter().filter(|s| s.0 > s.1).count() as f64 / self.samples.len() as f64
    }

    fn shortfall(&self) -> f64 {
        let (short, used) =
            self.samples.iter().fold((0.0, 0.0), |(s, u), (used, held, hours)| (s + (used - held).max(0.0) * hours, u + used * hours));
        short / used
    }

    fn slack_at(&self, breach: f64) -> f64 {
        self.slack(self.factor(breach))
    }

    fn changes_per_week(&self) -> f64 {
        7.0 * f64::from(self.changes) / f64::from(self.days)
    }

    fn cpu_row(&self, name: &str) -> String {
        format!(
            "| {name} | {:.3} | {:.4} | {:.3} | {:.2} | {:.3} | {:.3} |\n",
            self.slack(1.0),
            self.breach(),
            self.shortfall(),
            self.changes_per_week(),
            self.slack_at(0.01),
            self.slack_at(0.001)
        )
    }

    fn memory_row(&self, name: &str) -> String {
        format!(
            "| {name} | {:.3} | {:.2} % | {:.2} | {:.3} | {:.3} |\n",
            self.slack(1.0),
            100.0 * f64::from(self.unclean) / f64::from(self.days),
            self.changes_per_week(),
            self.slack_at(0.01),
            self.slack_at(0.001)
        )
    }
}

/// The oracle: each day's own maximum.
fn oracle(series: &Series) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    for (time, value) in series.points() {
        let from = time.div_euclid(DAY) * DAY;
        match held.last_mut().filter(|h| h.from == from) {
            Some(h) => h.value = h.value.max(value),
            None => held.push(Held { from, to: from + DAY, value }),
        }
    }
    held
}

/// Files with the metrics that are scored in each.
struct Set {
    files: Vec<(Imported, Vec<Metric>)>,
    skip: usize,
}

impl Set {
    fn pool(&self, method: Option<Method>) -> Pool {
        let mut pool = Pool::default();
        for (file, metrics) in &self.files {
            for metric in metrics {
                for (service, held) in hold(file, *metric, method.unwrap_or(Method::Krr)) {
                    let Some(series) = service.history.get(*metric) else { continue };
                    let held = if method.is_some() { held } else { oracle(series) };
                    pool.add(series, &held, self.skip);
                }
            }
        }
        pool
    }

    /// One row per method and the oracle's, and the series and days scored.
    fn rows(&self, row: impl Fn(&Pool, &str) -> String) -> (String, u32, u32) {
        let names = ["**Headroom**", "VPA", "KRR", "Autopilot window", "AWS style"];
        let mut rows = String::new();
        for (method, name) in Method::ALL.into_iter().zip(names) {
            rows += &row(&self.pool(Some(method)), name);
        }
        let oracle = self.pool(None);
        rows += &row(&oracle, "oracle (the day's maximum)");
        (rows, oracle.series, oracle.days)
    }
}

fn usage(directory: &Path) -> Result<Set, String> {
    let mut files = Vec::new();
    for name in ["alibaba_genai", "azure_llm", "bitbrains", "nab_cloudwatch", "planetlab", "worldcup98"] {
        let mut file = read_usage_csv(&directory.join(format!("{name}.csv.gz"))).map_err(|e| e.to_string())?;
        if name == "worldcup98" {
            file.services.iter_mut().for_each(|s| requests_as_cores(&mut s.history.metrics));
        }
        for s in &mut file.services {
            // A service with both has its demand in cores.
            if s.history.get(Metric::CpuUsage).is_some() {
                s.history.metrics.remove(&Metric::CpuUtilization);
            }
        }
        files.push((file, vec![Metric::CpuUsage, Metric::CpuUtilization]));
    }
    Ok(Set { files, skip: 3 })
}

fn requests_as_cores(metrics: &mut std::collections::BTreeMap<Metric, Series>) {
    if let Some(mut series) = metrics.remove(&Metric::RequestRate) {
        series.values.iter_mut().for_each(|v| *v *= CORES_PER_REQUEST);
        metrics.insert(Metric::CpuUsage, series);
    }
}

/// The section on right-sizing.
///
/// # Errors
/// A file that is there but cannot be read.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let (machines, containers) = (data.join("usage"), data.join("containers/five_minutes.csv.gz"));
    if !machines.is_dir() || !containers.is_file() {
        return Ok(None);
    }
    let mut out = INTRODUCTION.to_owned();
    let (rows, series, days) = usage(&machines)?.rows(Pool::cpu_row);
    let head = "| | slack | breach | shortfall | changes/week | slack@1 % | slack@0.1 % |\n| --- | --- | --- | --- | --- | --- | --- |\n";
    let _ = write!(out, "### CPU of machines: {series} series, {days} days\n\n{ON_MACHINES}\n\n{head}{rows}{MACHINES_BAR}\n\n");
    let file = read_usage_csv(&containers).map_err(|e| e.to_string())?;
    let mut set = Set { files: vec![(file, vec![Metric::CpuUsage])], skip: 2 };
    let (rows, series, days) = set.rows(Pool::cpu_row);
    let _ = write!(out, "### CPU of containers: {series} series, {days} days\n\n{ON_CONTAINERS}\n\n{head}{rows}{CONTAINERS_BAR}\n\n");
    set.files[0].1 = vec![Metric::MemoryWorkingSet];
    let (rows, series, days) = set.rows(Pool::memory_row);
    let head = "| | slack | unclean days | changes/week | slack@1 % | slack@0.1 % |\n| --- | --- | --- | --- | --- | --- |\n";
    let _ = write!(out, "### Memory of containers: {series} series, {days} days\n\n{ON_MEMORY}\n\n{head}{rows}{MEMORY_BAR}\n");
    Ok(Some(out))
}

/// What is measured, and how.
const INTRODUCTION: &str = "## Right-sizing

What each method would have held per UTC day, decided at 00:00 from what came before in all services of its file, against the use of that day.
Samples are pooled over all series, each weighing as long as it covers. Slack is the share of what was held that was not used; breach the share of
samples above the value; shortfall what they lacked, of all use; a change is more than 0.1 % between one day and the next. slack@b: all values of
a method are scaled by one factor until b of the samples lie above, so that methods are compared at equal risk. Floors are off. A series that is
never used at all is left out. This is the learner that decides every day, shown as *day by day* beside each recommendation. What is recommended is held
for longer, and chosen by how sure it is to hold for a week: the table of accuracy below is about that. Repeat: `make eval`; a file's values: `headroom replay USAGE.csv --policy headroom|vpa|krr|autopilot|aws`.

Peers: Kubernetes VPA 1.7 (90th percentile decaying by half a day, + 15 %, updated when 10 % off), Robusta KRR (95th percentile of 14 days; memory: peak
+ 15 %), Autopilot's window recommender (load-weighted 95th percentile decaying by half in 12 h; memory: 98th, 48 h; + 15 %), in the style of AWS Compute
Optimizer (99.5th percentile of 14 days, memory: peak, + 20 %). The oracle knows each day's own maximum.

";

const ON_MACHINES: &str =
    "bitbrains, planetlab, NAB (AWS CloudWatch) and worldcup98; cores in use, else the share of the machine, for worldcup98 a thousandth
of a core per request a second. The first 3 days of a series only teach.";

const MACHINES_BAR: &str = "
Bar: half-way from the best peer to the oracle, which an independent scorer puts at .692 (1 %) and .785 (0.1 %), with no more changes than VPA. Both are
missed, by one or two hundredths. Four days of 1,640 on which a quiet service becomes a busy one (the World Cup's first match, one planetlab machine, two of bitbrains) make up most
of the breach at 0.1 %; two large machines of bitbrains that run at a ceiling half of the time hold a third of all core-hours and need room when
every value is scaled down to 1 %. Tried without gain: heavier and lighter tails, a scale of records learnt over the fleet, a fleet-wide prior of use,
half-lives of 1 to 14 days, prices wholly absolute and wholly in proportion to the fleet, the same weekday's use where a week is known, days aged by how many were
seen since rather than by the calendar, no more than the whole machine for a share of one (better at 0.1 %, far worse at 1 %, where a value must not fall below a
ceiling). A search over all constants on every second series gains a hundredth there at most and loses up to three on the others at 0.1 %: more tuning would be to these series.";

const MEMORY_BAR: &str = "
Bar: at most 0.5 % unclean days at a slack of at most .30, and slack@0.1 % of at most .52. Each service holds what costs least at one price for a
day past the limit; half of that price brings about a tenth of a per cent more of such days, a fourteenth more of it two thousandths of slack.";

const ON_CONTAINERS: &str = "Containers of a shared OpenShift cluster at five minutes, 4.4 days. The first 2 days of a series only teach.";

const CONTAINERS_BAR: &str = "
Bar: .318 (1 %) and .487 (0.1 %), with no more changes than VPA.";

const ON_MEMORY: &str = "The same cluster; values are limits, and a day on which use passed its limit is unclean.";

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: Vec<f32>) -> Series {
        Series { start: 0, step: 21_600, values }
    }

    fn day(day: i64, value: f64) -> Held {
        Held { from: day * DAY, to: (day + 1) * DAY, value }
    }

    #[test]
    fn sums_are_those_of_the_definitions() {
        // A day that teaches, then one at 1, 1, 1, 3 held at 2 and one at 2 held at 2, 4 samples of 6 h each.
        let mut pool = Pool::default();
        let used = [[9.0; 4], [1.0, 1.0, 1.0, 3.0], [2.0; 4]].concat();
        pool.add(&series(used), &[day(0, 1.0), day(1, 2.0), day(2, 2.001)], 1);
        assert_eq!((pool.series, pool.days, pool.unclean, pool.changes), (1, 2, 1, 0));
        assert!((pool.breach() - 1.0 / 8.0).abs() < 1e-12);
        assert!((pool.slack(1.0) - (1.0 - 13.0 / 16.004)).abs() < 1e-9);
        assert!((pool.shortfall() - 1.0 / 14.0).abs() < 1e-12);
        // At most one of eight above: scaled down to the days held at 2; none above: scaled up to 3.
        assert!((pool.factor(0.125) - 2.0 / 2.001).abs() < 1e-12);
        assert!((pool.factor(0.0) - 1.5).abs() < 1e-12);
    }

    #[test]
    fn changes_are_counted_per_week_and_idle_series_left_out() {
        let mut pool = Pool::default();
        pool.add(&series(vec![1.0; 12]), &[day(0, 1.0), day(1, 1.1), day(2, 1.1005)], 0);
        pool.add(&series(vec![0.0; 12]), &[day(0, 1.0)], 0);
        assert_eq!((pool.series, pool.changes), (1, 1));
        assert!((pool.changes_per_week() - 7.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_oracle_holds_each_days_maximum() {
        let held = oracle(&series(vec![1.0, 4.0, 2.0, 1.0, 3.0]));
        assert_eq!(held, [day(0, 4.0), day(1, 3.0)]);
    }
}
