//! Anomalies on the Numenta Anomaly Benchmark: its standard profile at one fixed threshold.

use headroom_engine::anomalies::ALARM;
use headroom_infra::import::seconds;
use headroom_offline::Table;
use headroom_offline::anomalies::{Anomalies, run};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The profile's price of a false alarm; a found window and a missed one count 1.
const FALSE_ALARM: f64 = 0.11;
/// What other detectors reach on the same files.
const PEERS: &str =
    "| ARTime | 79.9 | | |\n| HTM | 68.7 | | |\n| KNN-CAD | 55.1 | | |\n| Twitter ADVec | 45.0 | | |\n| random | 20.8 | | |\n";

/// Windows of one series: first and last row.
type Windows = Vec<(usize, usize)>;

/// What a detector reached on some files.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    /// The sum of the scores of windows and false alarms.
    raw: f64,
    windows: usize,
    found: usize,
    false_alarms: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.raw += other.raw;
        self.windows += other.windows;
        self.found += other.found;
        self.false_alarms += other.false_alarms;
    }

    /// 0 for a detector that says nothing, 100 for a perfect one; `None` without windows.
    fn normalised(self) -> Option<f64> {
        let windows = self.windows as f64;
        (self.windows > 0).then(|| 100.0 * (self.raw + windows) / (2.0 * windows))
    }
}

/// Scores `headroom anomalies`: a section of the document, or `None` without the data.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let (series, labels) = (data.join("anomalies/nab.csv.gz"), data.join("anomalies/combined_windows.json"));
    if !series.exists() || !labels.exists() {
        return Ok(None);
    }
    let labels: BTreeMap<String, Vec<[String; 2]>> = std::fs::read_to_string(&labels)
        .map_err(|e| format!("{}: {e}", labels.display()))
        .and_then(|text| serde_json::from_str(&text).map_err(|e| format!("{}: {e}", labels.display())))?;
    let mut tallies: Vec<(String, Tally)> = Vec::new();
    for (name, rows) in scored(&series)? {
        let windows = windows(&name, &rows, labels.get(&name).map_or(&[], Vec::as_slice))?;
        let alarms: Vec<bool> = rows.iter().map(|r| r.1 >= ALARM).collect();
        tallies.push((name, tally(&alarms, &windows)));
    }
    Ok(Some(section(&tallies)))
}

/// What the command answers: series by name, with (time, score) per row.
fn scored(file: &Path) -> Result<BTreeMap<String, Vec<(i64, f64)>>, String> {
    let mut text = Vec::new();
    run(&Anomalies { file: file.to_owned() }, &mut text).map_err(|e| e.to_string())?;
    let rows = headroom_infra::rows::Rows::new(&text[..]);
    let mut table = Table::new(rows, "scores", &["series", "time", "score"]).map_err(|e| e.to_string())?;
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    while table.advance().map_err(|e| e.to_string())? {
        let row = table.time(1).and_then(|time| Ok((time, table.number(2)?))).map_err(|e| e.to_string())?;
        let name = table.text(0).map_err(|e| e.to_string())?;
        match all.get_mut(name) {
            Some(rows) => rows.push(row),
            None => drop(all.insert(name.to_owned(), vec![row])),
        }
    }
    Ok(all)
}

fn windows(name: &str, rows: &[(i64, f64)], labels: &[[String; 2]]) -> Result<Windows, String> {
    let place = |time: &String| {
        let time = seconds(time.as_bytes())?;
        rows.iter().position(|r| r.0 == time).ok_or_else(|| format!("{name}: a window begins or ends at {time}, where no row is"))
    };
    labels.iter().map(|[from, to]| Ok((place(from)?, place(to)?))).collect()
}

/// NAB's sigmoid: 0.987 at the left edge of a window (−1), 0 at its right edge, −1 far behind it.
///
/// Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015), and the benchmark's sweeper.
fn sigmoid(position: f64) -> f64 {
    if position >= 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// One series' score: the first alarm of each window counts by its place in it, an alarm outside by its distance behind the last
/// window. The first 15 % of the rows, at most 750, are not scored.
fn tally(alarms: &[bool], windows: &Windows) -> Tally {
    let unscored = (0.15 * alarms.len() as f64).floor().min(750.0) as usize;
    let mut tally = Tally::default();
    for (from, to) in windows.iter().filter(|w| w.1 >= unscored) {
        let first = (*from.max(&unscored)..=*to).find(|i| alarms[*i]);
        let width = (to - from + 1) as f64;
        tally.windows += 1;
        tally.found += usize::from(first.is_some());
        tally.raw += first.map_or(-1.0, |i| sigmoid(-((to - i + 1) as f64) / width) / sigmoid(-1.0));
    }
    for i in (unscored..alarms.len()).filter(|i| alarms[*i] && !windows.iter().any(|w| (w.0..=w.1).contains(i))) {
        let behind = windows.iter().rfind(|w| w.1 < i).map_or(3.0, |(from, to)| (i - to) as f64 / ((to - from) as f64).max(1.0));
        tally.false_alarms += 1;
        tally.raw += FALSE_ALARM * sigmoid(behind);
    }
    tally
}

fn section(tallies: &[(String, Tally)]) -> String {
    let mut groups: BTreeMap<&str, Tally> = BTreeMap::new();
    let (mut all, mut halves) = (Tally::default(), [Tally::default(); 2]);
    for (i, (name, tally)) in tallies.iter().enumerate() {
        groups.entry(name.split('/').next().unwrap_or(name)).or_default().add(*tally);
        all.add(*tally);
        halves[i % 2].add(*tally);
    }
    let number = |t: Tally| t.normalised().map_or("–".to_owned(), |s| format!("{s:.1}"));
    let row = |t: Tally| format!("{} | {} of {} | {}", number(t), t.found, t.windows, t.false_alarms);
    let mut out = format!(
        "## Anomalies\n\nThe Numenta Anomaly Benchmark, standard profile, {} series: 100 is every labelled window found at its first row \
         without a false alarm, 0 is silence. Every score sees only its past; the threshold (0.5) and all constants are the same for \
         every series. Bar: 70.\n\n| detector | score | windows found | false alarms |\n| --- | --- | --- | --- |\n| **headroom anomalies** | {} |\n{PEERS}\n",
        tallies.len(),
        row(all)
    );
    out.push_str("| series | score | windows found | false alarms |\n| --- | --- | --- | --- |\n");
    for (name, tally) in groups {
        // The write into a string cannot fail.
        let _ = writeln!(out, "| {name} | {} |", row(tally));
    }
    let _ = writeln!(
        out,
        "| every second file | {} |\n| the others | {} |\n\nMost missed windows are in series of at most 2,500 rows, whose past is too short to call much rare; most false alarms are in \
         longer ones whose level keeps moving. Tried without gain: more families (longer jumps, single steps, \
         shorter stretches), the most surprised family alone, the sum of all, bounded tails, a threshold that rises after an alarm. The peers' figures are of the benchmark's own results on the same files. \
         Repeat with `make eval`; one file: `headroom anomalies SERIES.csv`.",
        row(halves[0]),
        row(halves[1])
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sigmoid_has_the_published_values() {
        for (position, value) in [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661), (3.0, -1.0)] {
            assert!((sigmoid(position) - value).abs() < 1e-5, "{position}");
        }
    }

    #[test]
    fn a_series_is_scored_as_by_hand() {
        // 100 rows, 15 not scored; one window of 10 rows. Row 44 is position −6/10: 2/(1+e^−3)−1 = 0.905148; /0.986614.
        let mut alarms = vec![false; 100];
        for i in [3, 44, 46, 52, 90] {
            alarms[i] = true;
        }
        let tally = tally(&alarms, &vec![(40, 49)]);
        // Row 52 is 3/9 behind: 2/(1+e^(5/3))−1 = −0.682282; row 90 is far behind: −1; row 3 is not scored.
        let by_hand = 0.905_148 / 0.986_614 + 0.11 * (-0.682_282 - 1.0);
        assert!((tally.raw - by_hand).abs() < 1e-4, "{} {by_hand}", tally.raw);
        assert_eq!((tally.windows, tally.found, tally.false_alarms), (1, 1, 2));
    }

    #[test]
    fn silence_is_nothing_and_perfection_a_hundred() {
        let windows = vec![(40, 49), (80, 85)];
        let mut alarms = vec![false; 100];
        assert_eq!(tally(&alarms, &windows).normalised(), Some(0.0));
        alarms[40] = true;
        alarms[80] = true;
        assert!((tally(&alarms, &windows).normalised().unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(tally(&alarms, &vec![]).normalised(), None);
    }
}
