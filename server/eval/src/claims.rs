//! Claims: whether recommendations that would have been made were right, and whether their confidence was.

use headroom_engine::rightsize::claims::Claim;
use headroom_infra::import::{Imported, read_usage_csv};
use headroom_model::metric::Metric;
use headroom_model::time::DAY;
use headroom_offline::replay::claim;
use std::fmt::Write;
use std::path::Path;

/// A request per second is taken as so many cores where a source has only those.
const CORES_PER_REQUEST: f32 = 0.001;
/// Bins of equal mass.
const BINS: usize = 10;
/// Days after which an outcome is known.
const PROOF: i64 = 7;
/// Outcomes as which the curve counts where only its mean is moved.
const PRIOR: f64 = 20.0;

/// What was said of a recommendation, and what came of it.
#[derive(Clone, Copy)]
struct One {
    said: f64,
    /// By the curve alone, before any outcome corrected it.
    curve: f64,
    /// By the curve with its mean moved to what had come true.
    moved: f64,
    promised: f64,
    right: bool,
}

#[derive(Default, Clone)]
struct Told(Vec<One>);

impl Told {
    fn of(file: &Imported, metrics: &[Metric]) -> Self {
        let of_one = |m: &Metric| {
            let claims: Vec<Claim> = claim(file, *m).into_iter().map(|(_, c)| c).collect();
            let told = |c: &Claim| {
                let (said, curve, moved) = (c.confidence.value, c.uncorrected, mean_moved(&claims, c));
                Some(One { said, curve, moved, promised: c.promised, right: c.success? })
            };
            claims.iter().filter_map(told).collect::<Vec<_>>()
        };
        Self(metrics.iter().flat_map(of_one).collect())
    }

    fn right(&self) -> f64 {
        self.0.iter().filter(|t| t.right).count() as f64 / self.0.len() as f64
    }

    fn mean(&self, get: impl Fn(&One) -> f64) -> f64 {
        self.0.iter().map(get).sum::<f64>() / self.0.len() as f64
    }

    /// Expected calibration error: the mean distance of what was said from what came true, over bins of equal mass.
    fn error(&self, said: impl Fn(&One) -> f64) -> f64 {
        let mut told = self.0.clone();
        told.sort_by(|a, b| said(a).total_cmp(&said(b)));
        let n = told.len();
        let bins = (0..BINS).map(|b| Self(told[b * n / BINS..(b + 1) * n / BINS].to_vec()));
        bins.filter(|b| !b.0.is_empty()).map(|b| b.0.len() as f64 * (b.mean(&said) - b.right()).abs()).sum::<f64>() / n as f64
    }

    fn row(&self, name: &str) -> String {
        if self.0.is_empty() {
            return format!("| {name} | 0 | | | | | | | |\n");
        }
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let saving = Self(self.0.iter().copied().filter(|t| t.promised > 0.0).collect());
        let (right, said, promised) = (
            percent(self.right()),
            percent(self.mean(|t| t.said)),
            if saving.0.is_empty() { "–".to_owned() } else { percent(saving.mean(|t| t.promised)) },
        );
        let (n, cures) = (self.0.len(), self.0.len() - saving.0.len());
        let (error, curve, moved) = (self.error(|t| t.said), self.error(|t| t.curve), self.error(|t| t.moved));
        format!("| {name} | {n} | {cures} | {right} | {said} | {error:.3} | {curve:.3} | {moved:.3} | {promised} |\n")
    }
}

/// The curve of one claim, moved in log odds by as much as the mean of those before it whose week was over.
fn mean_moved(claims: &[Claim], one: &Claim) -> f64 {
    let logit = |p: f64| (p.clamp(0.005, 0.995) / (1.0 - p.clamp(0.005, 0.995))).ln();
    let over = claims.iter().filter(|c| c.at + PROOF * DAY <= one.at).filter_map(|c| Some((c.uncorrected, c.success?)));
    let (n, said, kept) =
        over.fold((0.0, 0.0, 0.0), |(n, said, kept), (curve, right)| (n + 1.0, said + curve, kept + f64::from(u8::from(right))));
    if n == 0.0 {
        return one.uncorrected;
    }
    let shift = logit((kept + PRIOR * said / n) / (n + PRIOR)) - logit(said / n);
    1.0 / (1.0 + (-(logit(one.uncorrected) + shift)).exp())
}

/// The section on accuracy and confidence.
///
/// # Errors
/// A file that is there but cannot be read.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let cpu = [Metric::CpuUsage, Metric::CpuUtilization];
    let memory = [Metric::MemoryWorkingSet, Metric::MemoryUtilization];
    let sets: [(&str, &str, &[Metric]); 6] = [
        ("bitbrains, CPU", "usage/bitbrains.csv.gz", &cpu),
        ("PlanetLab, CPU", "usage/planetlab.csv.gz", &cpu),
        ("NAB CloudWatch, CPU", "usage/nab_cloudwatch.csv.gz", &cpu),
        ("WorldCup98, request/s × 0.001 core", "usage/worldcup98.csv.gz", &cpu),
        ("OpenShift containers, CPU", "containers/five_minutes.csv.gz", &cpu),
        ("OpenShift containers, memory", "containers/five_minutes.csv.gz", &memory),
    ];
    let (mut rows, mut weeks, mut all) = (String::new(), Told::default(), Told::default());
    let mut read: Option<(&str, Imported)> = None;
    for (name, path, metrics) in sets {
        if !data.join(path).is_file() {
            return Ok(None);
        }
        if read.as_ref().is_none_or(|r| r.0 != path) {
            read = Some((path, file(&data.join(path))?));
        }
        let Some((_, imported)) = &read else { continue };
        let told = Told::of(imported, metrics);
        rows += &told.row(name);
        all.0.extend(&told.0);
        if path.starts_with("usage") {
            weeks.0.extend(&told.0);
        }
    }
    rows += &weeks.row("**all of usage**");
    rows += &all.row("**all**");
    Ok(Some(section(&rows)))
}

fn file(path: &Path) -> Result<Imported, String> {
    let mut file = read_usage_csv(path).map_err(|e| e.to_string())?;
    if path.file_name().is_some_and(|n| n == "worldcup98.csv.gz") {
        for metrics in file.services.iter_mut().map(|s| &mut s.history.metrics) {
            if let Some(mut series) = metrics.remove(&Metric::RequestRate) {
                series.values.iter_mut().for_each(|v| *v *= CORES_PER_REQUEST);
                metrics.insert(Metric::CpuUsage, series);
            }
        }
    }
    Ok(file)
}

fn section(rows: &str) -> String {
    let mut out = String::from("## Accuracy and confidence of recommendations\n\n");
    let _ = write!(
        out,
        "A recommendation is right if in the next 7 days, held at it, the realised saving is no more than 5 points under the promise and no \
         guard is broken: at most 1 % of CPU samples above it, no memory sample above it. Current is the peak of the first 3 days × 1.5. \
         A cure is for a service that has less than it needs. Calibration error: 10 bins of equal mass. The bars: 95 % right, error at most 0.05.\n\n\
         | | recommendations | of these cures | right | said | calibration error | of the curve alone | with its mean moved | mean saving promised |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n{rows}\n\
         Ten bins of few recommendations are apart by chance alone: with 40 in each, as of usage, a confidence that is exactly right at 95 % would show \
         an error of about .025, with one or two in each, as of NAB and WorldCup98, the error says nothing. \
         The containers are known for 4.4 days: their recommendations are judged on the one or two days that follow them, which is easier than \
         a week, so what is said of them is too low. At the end of a file, too, a week may be cut short. The constants of the curve \
         were fitted to the same data sets. It is corrected by isotonic regression on what had come of earlier recommendations of the file at the time. \
         Beside it stands what the curve alone would have said of the same recommendations, and the curve with its mean moved to what had come true, \
         which is how it was corrected before. On usage alone the three are within chance of each other; over all the isotonic one is nearest. What brought the error \
         of usage down, from .058, is that a share of a machine cannot be short of the whole machine, and is told so: without that rule isotonic regression leaves .057. \
         With constants fitted without the source at hand the errors are .070 for bitbrains, .060 for NAB and .023 for PlanetLab. \
         Tried for the curve without gain, judged on the source left out of the fit: the trend of what days need, the last week against the one before it, \
         movement drawn further towards what is usual, days that reach the same top. A week's shape does not matter to a value that is held for a week: \
         each weekday is in it. \
         The command: `headroom replay USAGE.csv --claims`; `make eval` repeats this table.\n"
    );
    out
}
