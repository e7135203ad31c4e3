//! A series with everything unusable made a gap: not-a-number, infinite, negative, or larger than any machine.

use headroom_model::metric::{Metric, Unit};
use headroom_model::series::Series;
use headroom_model::time::DAY;

/// Times beyond this many seconds from 1970 (about the year 5138) are not believed.
const FAR: i64 = 100_000_000_000;

/// A part of samples that lies in one UTC day; at least one value is no gap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayPart<'a> {
    /// Days since 1970.
    pub day: i64,
    /// Seconds from midnight to the begin of the first value.
    pub offset: i64,
    /// With gaps.
    pub values: &'a [f32],
}

/// Clean samples on a regular grid; `NaN` is a gap, everything else is finite and not negative.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Samples {
    /// Seconds since the epoch of the first interval's begin.
    pub start: i64,
    /// Seconds per interval, at least 1.
    pub step: i64,
    /// One value per interval.
    pub values: Vec<f32>,
    /// How many are not gaps.
    pub count: usize,
}

/// The largest value that is believed, per unit: beyond it a reading is a fault of the source.
fn largest(unit: Unit) -> f32 {
    match unit {
        Unit::Cores => 1e5,
        Unit::Bytes | Unit::BytesPerSecond => 1e16,
        Unit::PerSecond | Unit::Count => 1e10,
        Unit::Milliseconds => 1e9,
        Unit::Ratio => 1e4,
    }
}

impl Samples {
    /// The usable part of a series; `None` when nothing is usable.
    pub fn clean(series: &Series, metric: Metric) -> Option<Self> {
        let length = i64::try_from(series.values.len()).ok()?.checked_mul(i64::from(series.step.max(1)))?;
        if series.start.abs() > FAR || length > FAR {
            return None;
        }
        let top = largest(metric.unit());
        let mut count = 0;
        let values = series
            .values
            .iter()
            .map(|v| {
                let usable = (0.0..=top).contains(v);
                count += usize::from(usable);
                if usable { *v } else { f32::NAN }
            })
            .collect();
        (count > 0).then_some(Self { start: series.start, step: i64::from(series.step.max(1)), values, count })
    }

    /// Begin of interval `i`, seconds since the epoch.
    pub fn time(&self, i: usize) -> i64 {
        self.start + i as i64 * self.step
    }

    /// The value at a time, `None` outside and in gaps.
    pub fn at(&self, time: i64) -> Option<f64> {
        let i = usize::try_from((time - self.start).div_euclid(self.step)).ok()?;
        self.values.get(i).filter(|v| !v.is_nan()).map(|v| f64::from(*v))
    }

    /// The values that are not gaps.
    pub fn present(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v))
    }

    /// (begin of the interval, value) without gaps.
    pub fn points(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.values.iter().enumerate().filter(|(_, v)| !v.is_nan()).map(|(i, v)| (self.time(i), f64::from(*v)))
    }

    /// Largest value; 0 without any.
    pub fn peak(&self) -> f64 {
        f64::from(self.values.iter().copied().fold(0.0, f32::max))
    }

    /// Mean value; 0 without any.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.present().sum::<f64>() / self.count as f64 }
    }

    /// Hours from the first sample's begin to the last one's end.
    pub fn span_hours(&self) -> f64 {
        let first = self.values.iter().position(|v| !v.is_nan());
        let last = self.values.iter().rposition(|v| !v.is_nan());
        match (first, last) {
            (Some(a), Some(b)) => ((b - a + 1) as i64 * self.step) as f64 / 3600.0,
            _ => 0.0,
        }
    }

    /// Parts that lie in one UTC day each, oldest first, days without any sample left out.
    pub fn days(&self) -> Vec<DayPart<'_>> {
        let mut out = Vec::new();
        let mut from = 0;
        while from < self.values.len() {
            let (day, offset) = (self.time(from).div_euclid(DAY), self.time(from).rem_euclid(DAY));
            let to = (from + ((DAY - offset + self.step - 1) / self.step).max(1) as usize).min(self.values.len());
            let values = &self.values[from..to];
            if values.iter().any(|v| !v.is_nan()) {
                out.push(DayPart { day, offset, values });
            }
            from = to;
        }
        out
    }

    /// How many samples a full day has, at least 1.
    pub fn per_day(&self) -> usize {
        (DAY / self.step).max(1) as usize
    }

    /// These samples, each changed by a function of its time and value; results that are not usable become gaps.
    pub fn map(&self, change: impl Fn(i64, f64) -> f64) -> Self {
        let mut count = 0;
        let values = self
            .values
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let new = if v.is_nan() { f32::NAN } else { change(self.time(i), f64::from(*v)) as f32 };
                let usable = new.is_finite() && new >= 0.0;
                count += usize::from(usable);
                if usable { new } else { f32::NAN }
            })
            .collect();
        Self { start: self.start, step: self.step, values, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_readings_become_gaps() {
        let series = Series { start: 0, step: 300, values: vec![1.0, f32::NAN, -1.0, f32::INFINITY, 1e9, 0.0] };
        let clean = Samples::clean(&series, Metric::CpuUsage).unwrap();
        assert_eq!(clean.count, 2);
        assert_eq!(clean.present().collect::<Vec<_>>(), [1.0, 0.0]);
        let nothing = Series { start: 0, step: 300, values: vec![f32::NAN; 3] };
        assert!(Samples::clean(&nothing, Metric::CpuUsage).is_none());
        let far = Series { start: i64::MAX - 1, step: 300, values: vec![1.0; 3] };
        assert!(Samples::clean(&far, Metric::CpuUsage).is_none());
    }

    #[test]
    fn days_are_cut_at_midnight() {
        let series = Series { start: 86_400 - 600, step: 300, values: vec![1.0; 2 + 288 + 1] };
        let clean = Samples::clean(&series, Metric::CpuUsage).unwrap();
        let days: Vec<(i64, usize)> = clean.days().iter().map(|part| (part.day, part.values.len())).collect();
        assert_eq!(days, [(0, 2), (1, 288), (2, 1)]);
        let slow = Series { start: 0, step: 200_000, values: vec![1.0; 3] };
        assert_eq!(Samples::clean(&slow, Metric::CpuUsage).unwrap().days().len(), 3);
    }
}
