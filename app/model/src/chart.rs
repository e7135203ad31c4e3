//! One chart model, two renderers: SVG on the server, ECharts in the browser. Both show the same points.

use serde::{Deserialize, Serialize};

/// A chart over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChartModel {
    /// What it shows, for its title and for screen readers.
    pub title: String,
    /// Unit of the values as shown, such as `cores` or `GiB`; values are already in it.
    pub unit: String,
    /// Lines and areas.
    pub series: Vec<ChartSeries>,
    /// Bands between a lower and an upper line, such as intervals.
    pub bands: Vec<ChartBand>,
    /// Horizontal lines.
    pub thresholds: Vec<Threshold>,
    /// Marks on the time axis.
    pub marks: Vec<Mark>,
}

/// What a line means, and so how it looks: use is slate, asked is ink and dashed, proposed is blue, applied is green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ink {
    /// Measured use.
    Use,
    /// Asked for now.
    Asked,
    /// Proposed.
    Proposed,
    /// Applied, achieved.
    Applied,
    /// A limit or a fault.
    Bad,
    /// Something to look at, such as an anomaly.
    Watch,
    /// Something that was done elsewhere, such as a deploy: faint.
    Aside,
    /// First further series.
    Data1,
    /// Second further series.
    Data2,
    /// Third further series.
    Data3,
    /// Fourth further series.
    Data4,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartSeries {
    /// Its label.
    pub label: String,
    /// What it means.
    pub ink: Ink,
    /// Drawn as steps rather than as a slope (requests, limits, replicas).
    #[serde(default)]
    pub steps: bool,
    /// (seconds since the epoch, value); `None` is a gap.
    pub points: Vec<(i64, Option<f64>)>,
}

/// A band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartBand {
    /// Its label.
    pub label: String,
    /// What it means.
    pub ink: Ink,
    /// (seconds since the epoch, lower, upper).
    pub points: Vec<(i64, f64, f64)>,
}

/// A horizontal line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Its label.
    pub label: String,
    /// What it means.
    pub ink: Ink,
    /// Where.
    pub value: f64,
}

/// A mark on the time axis, such as an apply or a roll-back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Its label; empty for one of several alike of which another is named.
    pub label: String,
    /// What it means.
    pub ink: Ink,
    /// Seconds since the epoch.
    pub at: i64,
}

impl ChartModel {
    /// The time range over all series and bands, seconds since the epoch; `None` when empty.
    #[must_use]
    pub fn time_range(&self) -> Option<(i64, i64)> {
        let times = self
            .series
            .iter()
            .flat_map(|s| s.points.iter().map(|p| p.0))
            .chain(self.bands.iter().flat_map(|b| b.points.iter().map(|p| p.0)));
        times.fold(None, |range, t| Some(range.map_or((t, t), |(a, b): (i64, i64)| (a.min(t), b.max(t)))))
    }
    /// The largest value shown, thresholds included; 0 when empty.
    #[must_use]
    pub fn top(&self) -> f64 {
        let values = self.series.iter().flat_map(|s| s.points.iter().filter_map(|p| p.1));
        let bands = self.bands.iter().flat_map(|b| b.points.iter().map(|p| p.2));
        values.chain(bands).chain(self.thresholds.iter().map(|t| t.value)).filter(|v| v.is_finite()).fold(0.0, f64::max)
    }
}

/// The path of a sparkline over a box of `width` × `height`, one point per step, gaps left open; empty without a value.
/// The scale runs from zero (or the least value, if negative) to the largest.
#[must_use]
pub fn spark_path(points: &[Option<f32>], width: f32, height: f32) -> String {
    let present = || points.iter().flatten().copied().filter(|v| v.is_finite());
    let (low, high) = (present().fold(0.0, f32::min), present().fold(f32::MIN, f32::max));
    let span = if high > low { high - low } else { 1.0 };
    let step = width / (points.len().max(2) - 1) as f32;
    let mut path = String::new();
    let mut open = false;
    for (i, point) in points.iter().enumerate() {
        let Some(value) = point.filter(|v| v.is_finite()) else {
            open = false;
            continue;
        };
        let y = height - 1.0 - (value - low) / span * (height - 2.0);
        path.push_str(&format!("{}{:.1},{y:.1}", if open { 'L' } else { 'M' }, i as f32 * step));
        open = true;
    }
    path
}
