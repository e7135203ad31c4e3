//! Round numbers for axes, in the model's own units and in UTC.

use headroom_model::time::{DAY, HOUR, Timestamp};

/// A value axis from `low` to `high` in steps of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueAxis {
    /// Lower end; 0 unless something shown is negative.
    pub low: f64,
    /// Upper end, above everything shown.
    pub high: f64,
    /// Distance of grid lines.
    pub step: f64,
}

impl ValueAxis {
    /// About five grid lines at round numbers; amounts start at zero.
    pub fn covering(bottom: f64, top: f64) -> Self {
        let (bottom, top) = (bottom.min(0.0), if top > bottom.min(0.0) { top } else { bottom.min(0.0) + 1.0 });
        let raw = (top - bottom) / 4.5;
        let magnitude = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * magnitude).into_iter().find(|s| *s >= raw * 0.999).unwrap_or(10.0 * magnitude);
        Self { low: (bottom / step).floor() * step, high: (top * 1.001 / step).ceil() * step, step }
    }
    /// The grid lines.
    pub fn ticks(self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as i32;
        (0..=count).map(|i| self.low + f64::from(i) * self.step).collect()
    }
}

/// At most about eight times at whole hours, days or months, with their labels.
pub fn time_ticks(from: i64, to: i64) -> Vec<(i64, String)> {
    let span = (to - from).max(1);
    let step = [HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 61 * DAY]
        .into_iter()
        .find(|s| span / s <= 8)
        .unwrap_or(span / 8);
    let mut at = from.div_euclid(step) * step;
    let mut ticks = Vec::new();
    while at <= to {
        if at >= from {
            ticks.push((at, label(at, step)));
        }
        at += step;
    }
    ticks
}

fn label(at: i64, step: i64) -> String {
    let c = Timestamp::from_secs(at).civil();
    if step < DAY && (c.hour, c.minute) != (0, 0) {
        format!("{:02}:{:02}", c.hour, c.minute)
    } else if step < 7 * DAY {
        format!("{} {}", c.weekday_name(), c.day)
    } else {
        format!("{} {}", c.day, c.month_name())
    }
}

/// Three significant digits, without trailing zeros: `0.08`, `1.71`, `412`, `12000`.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
