//! How figures read. A number that appears twice comes from one function, so that it is the same twice.

use headroom_model::metric::{Metric, Unit};
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::units::{GIB, KIB, MIB, Money, thousands};

/// What stands where nothing is known.
pub const UNKNOWN: &str = "–";

/// An amount of money, `–` where unknown.
#[must_use]
pub fn money(amount: Option<Money>) -> String {
    amount.map_or_else(|| UNKNOWN.to_owned(), |m| m.to_string())
}

/// A number with about three significant digits and thousands apart: `0.08`, `1.71`, `41.2`, `1,240`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    let sign = if value < 0.0 && size >= 0.005 { "−" } else { "" };
    match size {
        s if s >= 999.5 => format!("{sign}{}", thousands(s.round() as u64)),
        s if s >= 99.95 => format!("{sign}{s:.0}"),
        s if s >= 9.995 => format!("{sign}{s:.1}"),
        s => format!("{sign}{s:.2}"),
    }
}

/// A share of one as percent: `48 %`, below ten with decimals, `0.08 %`.
#[must_use]
pub fn share(share: f64) -> String {
    percent(share * 100.0)
}

/// A number that is percent already.
#[must_use]
pub fn percent(percent: f64) -> String {
    if !percent.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = percent.abs();
    let sign = if percent < 0.0 && size >= 0.005 { "−" } else { "" };
    match size {
        s if s >= 9.95 => format!("{sign}{s:.0} %"),
        s if s >= 0.995 => format!("{sign}{s:.1} %"),
        s => format!("{sign}{s:.2} %"),
    }
}

/// A change in percent, always with its sign.
#[must_use]
pub fn signed_percent(value: f64) -> String {
    let text = percent(value);
    if value > 0.0 && value.is_finite() { format!("+{text}") } else { text }
}

/// A share of one as percentage points, always with its sign: `+12`, `−0.4`.
#[must_use]
pub fn points(share: f64) -> String {
    signed_percent(share * 100.0).trim_end_matches(" %").to_owned()
}

/// Bytes as KiB, MiB or GiB.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (unit, name) = byte_unit(bytes);
    format!("{} {name}", trimmed(bytes / unit))
}

fn byte_unit(bytes: f64) -> (f64, &'static str) {
    let (kib, mib, gib) = (KIB as f64, MIB as f64, GIB as f64);
    match bytes.abs() {
        b if b >= gib * 1024.0 => (gib * 1024.0, "TiB"),
        b if b >= gib => (gib, "GiB"),
        b if b >= mib => (mib, "MiB"),
        b if b >= kib => (kib, "KiB"),
        _ => (1.0, "B"),
    }
}

/// Like [`number`], without decimals that are zero.
fn trimmed(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A value of a metric with its unit.
#[must_use]
pub fn value(metric: Metric, value: f64) -> String {
    let (number, unit) = value_and_unit(metric, value);
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// A value of a metric, and its unit apart.
#[must_use]
pub fn value_and_unit(metric: Metric, value: f64) -> (String, &'static str) {
    match metric.unit() {
        Unit::Cores => (number(value), "cores"),
        Unit::Bytes => {
            let (unit, name) = byte_unit(value);
            (trimmed(value / unit), name)
        }
        Unit::BytesPerSecond => {
            let (unit, name) = byte_unit(value);
            let name = match name {
                "TiB" => "TiB/s",
                "GiB" => "GiB/s",
                "MiB" => "MiB/s",
                "KiB" => "KiB/s",
                _ => "B/s",
            };
            (trimmed(value / unit), name)
        }
        Unit::PerSecond => (number(value), "/s"),
        Unit::Milliseconds => (number(value), "ms"),
        Unit::Ratio if metric == Metric::LoadImbalance => (number(value), ""),
        Unit::Ratio => (share(value).trim_end_matches(" %").to_owned(), "%"),
        Unit::Count => (trimmed(value), ""),
    }
}

/// `1.71 of 2.00 cores`.
#[must_use]
pub fn of(metric: Metric, part: f64, whole: f64) -> String {
    if metric.unit() == Unit::Bytes {
        let (unit, name) = byte_unit(whole);
        return format!("{} of {} {name}", trimmed(part / unit), trimmed(whole / unit));
    }
    format!("{} of {}", value_and_unit(metric, part).0, value(metric, whole))
}

/// A length of time in its two largest units: `8 s`, `1 min 50 s`, `2 h`, `6 d 21 h`.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    let two = |a: i64, unit: &str, b: i64, small: &str| if b == 0 { format!("{a} {unit}") } else { format!("{a} {unit} {b} {small}") };
    match s {
        0..60 => format!("{s} s"),
        60..HOUR => two(s / 60, "min", if s < 600 { s % 60 } else { 0 }, "s"),
        HOUR..DAY => two(s / HOUR, "h", s % HOUR / 60, "min"),
        _ => two(s / DAY, "d", s % DAY / HOUR, "h"),
    }
}

/// A length of time in its largest unit: `8 s`, `12 min`, `2 h`, `6 d`.
#[must_use]
pub fn short(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..HOUR => format!("{} min", s / 60),
        s @ HOUR..DAY => format!("{} h", s / HOUR),
        s => format!("{} d", s / DAY),
    }
}

/// `12 min ago`, seen from `now` on the same clock.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", short(now.secs_since(then)))
}

/// `21 Nov, 09:12` in UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let c = at.civil();
    format!("{} {}, {:02}:{:02}", c.day, c.month_name(), c.hour, c.minute)
}

/// `Fri 21 Nov 2026, 09:12:30 UTC`, for tooltips and the audit.
#[must_use]
pub fn exact(at: Timestamp) -> String {
    let c = at.civil();
    format!("{} {} {} {}, {:02}:{:02}:{:02} UTC", c.weekday_name(), c.day, c.month_name(), c.year, c.hour, c.minute, c.second)
}

/// `1 service`, `2 services`.
#[must_use]
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// The name of a metric for people.
#[must_use]
pub fn metric(metric: Metric) -> &'static str {
    use Metric as M;
    match metric {
        M::CpuUsage | M::CpuUtilization => "CPU use",
        M::CpuThrottled => "Throttled time",
        M::CpuRequest => "CPU request",
        M::CpuLimit => "CPU limit",
        M::MemoryWorkingSet | M::MemoryUtilization => "Memory",
        M::MemoryRequest => "Memory request",
        M::MemoryLimit => "Memory limit",
        M::OomKills => "OOM kills",
        M::Restarts => "Restarts",
        M::DiskRead => "Disk reads",
        M::DiskWrite => "Disk writes",
        M::NetworkReceive => "Network in",
        M::NetworkTransmit => "Network out",
        M::VolumeUsed => "Volume used",
        M::VolumeCapacity => "Volume size",
        M::RequestRate => "Requests",
        M::RequestRatePerReplica => "Requests per replica",
        M::LatencyP50 => "Latency p50",
        M::LatencyP95 => "Latency p95",
        M::LatencyP99 => "Latency p99",
        M::ErrorRatio => "Errors",
        M::Replicas => "Replicas",
        M::LoadImbalance => "Load imbalance",
        M::CacheHitRatio => "Cache hit ratio",
        M::PoolWait => "Pool wait",
        M::DatabaseTime => "Database time",
        M::GpuUtilization => "GPU use",
        M::Gpus => "GPUs",
        M::GpuMemoryUsed => "GPU memory",
        M::InputTokens => "Tokens in",
        M::OutputTokens => "Tokens out",
    }
}

/// The first letters of a name, for its disc: `J. Ortiz` is `JO`, `engineer` is `EN`.
#[must_use]
pub fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let letters: String = match words.as_slice() {
        [] => "?".to_owned(),
        [one] => one.chars().take(2).collect(),
        [first, .., last] => first.chars().take(1).chain(last.chars().take(1)).collect(),
    };
    letters.to_uppercase()
}
