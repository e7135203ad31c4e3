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
    /// Samples for which the method held nothing.
    unheld: u64,
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
            match held.get(at).filter(|h| h.from <= time) {
                Some(h) => {
                    self.samples.push((used, h.value, hours));
                    if used > h.value {
                        unclean.insert(time.div_euclid(DAY));
                    }
                }
                None => self.unheld += 1,
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
    let mut out = String::from("## Right-sizing\n\n");
    let (rows, series, days) = usage(&machines)?.rows(Pool::cpu_row);
    let head = "| | slack | breach | shortfall | changes/week | slack@1 % | slack@0.1 % |\n| --- | --- | --- | --- | --- | --- | --- |\n";
    let _ = write!(out, "### CPU of machines: {series} series, {days} days\n\n{head}{rows}\n");
    let file = read_usage_csv(&containers).map_err(|e| e.to_string())?;
    let mut set = Set { files: vec![(file, vec![Metric::CpuUsage])], skip: 2 };
    let (rows, series, days) = set.rows(Pool::cpu_row);
    let _ = write!(out, "### CPU of containers: {series} series, {days} days\n\n{head}{rows}\n");
    set.files[0].1 = vec![Metric::MemoryWorkingSet];
    let (rows, series, days) = set.rows(Pool::memory_row);
    let head = "| | slack | unclean days | changes/week | slack@1 % | slack@0.1 % |\n| --- | --- | --- | --- | --- | --- |\n";
    let _ = write!(out, "### Memory of containers: {series} series, {days} days\n\n{head}{rows}");
    Ok(Some(out))
}
