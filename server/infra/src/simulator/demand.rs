//! How much is asked of a service by people and programs outside the cluster: daily and weekly shape, noise, bursts.

use super::noise::{Noise, Stream};
use headroom_model::time::{DAY, HOUR};
use serde::{Deserialize, Serialize};

/// The shape of a day, before noise. The mean over a weekday is about 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nearly even, day and night.
    Flat,
    /// A wave with its top in the early afternoon.
    Day,
    /// Exchange hours: a plateau from 8 to 17 UTC with peaks at opening and close.
    Market,
    /// Runs at night, idles by day.
    Night,
}

/// Demand from outside the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Requests per second on a mean weekday.
    pub rate: f64,
    /// Shape of the day.
    pub shape: Shape,
    /// Saturday's and Sunday's demand as a share of a weekday's.
    pub weekend: f64,
    /// Standard deviation of the relative noise.
    pub noise: f64,
    /// Bursts per day.
    pub bursts: f64,
    /// Height of a burst as a multiple of the demand around it.
    pub burst_size: f64,
    /// Growth per day as a share.
    pub trend: f64,
}

/// Length of a slot in which at most one burst begins.
const BURST_SLOT: i64 = 1800;

fn bump(hour: f64, at: f64, width: f64) -> f64 {
    let d = (hour - at + 36.0).rem_euclid(24.0) - 12.0;
    (-(d / width).powi(2) / 2.0).exp()
}

fn ramp(hour: f64, at: f64, width: f64) -> f64 {
    1.0 / (1.0 + (-(hour - at) / width).exp())
}

impl Shape {
    fn of_hour(self, hour: f64) -> f64 {
        match self {
            Self::Flat => 0.97 + 0.06 * bump(hour, 14.0, 4.0),
            Self::Day => 0.42 + 1.32 * bump(hour, 13.5, 4.4),
            Self::Market => {
                let open = ramp(hour, 7.6, 0.35) - ramp(hour, 17.3, 0.5);
                0.3 + 1.35 * open + 0.75 * bump(hour, 8.2, 0.5) * open + 0.6 * bump(hour, 16.4, 0.6) * open
            }
            Self::Night => 0.25 + 3.4 * bump(hour, 2.0, 1.9),
        }
    }
}

/// What the calendar says of a tick, the same for all services.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    t: i64,
    dt: i64,
    days: f64,
    shapes: [f64; 4],
    /// How much of a weekend it is, 0 to 1.
    weekend: f64,
}

impl Calendar {
    /// The tick of `dt` seconds that begins at `t` (seconds since the epoch); `origin` is where trends begin.
    #[must_use]
    pub fn new(t: i64, dt: i64, origin: i64) -> Self {
        let hour = t.rem_euclid(DAY) as f64 / HOUR as f64;
        let shapes = [Shape::Flat, Shape::Day, Shape::Market, Shape::Night].map(|s| s.of_hour(hour));
        Self { t, dt, days: (t - origin) as f64 / DAY as f64, shapes, weekend: weekend(t) }
    }
}

/// How much of a weekend it is, eased over three hours around midnight.
fn weekend(t: i64) -> f64 {
    let into_week = (t + 3 * DAY).rem_euclid(7 * DAY) as f64 / HOUR as f64;
    let share = (ramp(into_week, 120.0, 1.2) - ramp(into_week, 168.0, 1.2)) + ramp(-into_week, 0.0, 1.2);
    share.clamp(0.0, 1.0)
}

impl Demand {
    /// Requests per second in a tick.
    #[must_use]
    pub fn at(&self, noise: Noise, service: usize, calendar: &Calendar) -> f64 {
        let (t, dt) = (calendar.t, calendar.dt);
        let growth = 1.0 + self.trend * calendar.days;
        let weekday = 1.0 - (1.0 - self.weekend) * calendar.weekend;
        let level = self.rate * calendar.shapes[self.shape as usize] * weekday * growth.max(0.05);
        let slow = 0.75 * noise.smooth(service, Stream::Hourly, t, 5400) + 0.5 * noise.smooth(service, Stream::Minutes, t, 900);
        let white = 0.4 * noise.normal(service, Stream::White, t);
        let counted = noise.normal(service, Stream::Tail, t) / (level * dt as f64).max(1.0).sqrt();
        let wobble = (self.noise * (slow + white) - self.noise * self.noise / 2.0).exp() + counted;
        (level * wobble.max(0.0) * self.burst(noise, service, t)).max(0.0)
    }

    fn burst(&self, noise: Noise, service: usize, t: i64) -> f64 {
        let chance = self.bursts * BURST_SLOT as f64 / DAY as f64;
        let mut factor = 1.0;
        for slot in [t.div_euclid(BURST_SLOT), t.div_euclid(BURST_SLOT) - 1] {
            if noise.unit(service, Stream::BurstChance, slot) < chance {
                let size = noise.unit(service, Stream::BurstSize, slot);
                let length = 240.0 + 1200.0 * noise.unit(service, Stream::BurstSize, slot ^ 0x5555);
                let since = (t - slot * BURST_SLOT) as f64;
                let rise = (since / 120.0).min(1.0);
                let fall = (-((since - length).max(0.0) / 300.0)).exp();
                factor += (self.burst_size - 1.0) * (0.5 + 0.5 * size) * rise * fall;
            }
        }
        factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(shape: Shape) -> Demand {
        Demand { rate: 100.0, shape, weekend: 0.3, noise: 0.1, bursts: 2.0, burst_size: 2.0, trend: 0.0 }
    }

    fn mean(d: &Demand, from: i64, to: i64) -> f64 {
        let ticks: Vec<f64> = (from..to).step_by(60).map(|t| d.at(Noise::new(1), 0, &Calendar::new(t, 60, from))).collect();
        ticks.iter().sum::<f64>() / ticks.len() as f64
    }

    #[test]
    fn a_weekday_has_about_its_rate_and_weekends_less() {
        let monday = 1_763_942_400; // 2025-11-24
        for shape in [Shape::Flat, Shape::Day, Shape::Market, Shape::Night] {
            let d = demand(shape);
            let weekday = mean(&d, monday, monday + DAY);
            assert!((70.0..150.0).contains(&weekday), "{shape:?} {weekday}");
            let sunday = mean(&d, monday + 6 * DAY, monday + 7 * DAY);
            assert!(sunday < 0.55 * weekday, "{shape:?} {sunday} {weekday}");
        }
        let d = demand(Shape::Day);
        assert!(mean(&d, monday + 13 * HOUR, monday + 14 * HOUR) > 2.0 * mean(&d, monday + 2 * HOUR, monday + 3 * HOUR));
    }
}
