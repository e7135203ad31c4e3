//! Numbers as a colleague would say them.

use headroom_model::units::{GIB, MIB};

/// At most `digits` decimals, no trailing zeros.
pub(crate) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `0.62`, `4`, `12.5`, `0.004`
pub(crate) fn cores(value: f64) -> String {
    number(value, if value < 0.1 { 3 } else { 2 })
}

/// `1 core`, `0.62 cores`
pub(crate) fn of_cores(value: f64) -> String {
    let text = cores(value);
    if text == "1" { "1 core".to_owned() } else { format!("{text} cores") }
}

/// `640 MiB`, `5.5 GiB`
pub(crate) fn bytes(value: f64) -> String {
    let unit = byte_unit(value);
    format!("{} {}", in_bytes(value, unit), unit.0)
}

type ByteUnit = (&'static str, f64);

fn byte_unit(value: f64) -> ByteUnit {
    match value {
        v if v >= 1024.0 * GIB as f64 => ("TiB", 1024.0 * GIB as f64),
        v if v >= GIB as f64 => ("GiB", GIB as f64),
        v if v >= MIB as f64 => ("MiB", MIB as f64),
        _ => ("KiB", 1024.0),
    }
}

fn in_bytes(value: f64, unit: ByteUnit) -> String {
    number(value / unit.1, if value / unit.1 < 100.0 { 2 } else { 0 })
}

/// `8 → 5.5 GiB`, `512 MiB → 1.25 GiB`
pub(crate) fn bytes_step(from: f64, to: f64) -> String {
    let (a, b) = (byte_unit(from), byte_unit(to));
    if a == b { format!("{} → {} {}", in_bytes(from, a), in_bytes(to, b), b.0) } else { format!("{} → {}", bytes(from), bytes(to)) }
}

/// `4 → 2 cores`
pub(crate) fn cores_step(from: f64, to: f64) -> String {
    format!("{} → {}", cores(from), of_cores(to))
}

/// `612 ms`, `1.2 s`
pub(crate) fn millis(value: f64) -> String {
    if value >= 1000.0 {
        format!("{} s", number(value / 1000.0, 1))
    } else {
        format!("{} ms", number(value, if value < 10.0 { 1 } else { 0 }))
    }
}

/// A share as `41 %`, `4.1 %`, `0.08 %`
pub(crate) fn percent(share: f64) -> String {
    let p = share * 100.0;
    let digits = if p.abs() >= 10.0 {
        0
    } else if p.abs() >= 1.0 {
        1
    } else {
        2
    };
    format!("{} %", number(p, digits))
}

/// `30 seconds`, `10 minutes`, `3.5 hours`
pub(crate) fn time(secs: i64) -> String {
    let (amount, unit) = match secs {
        s if s < 60 => (s as f64, "second"),
        s if s < 7200 => (s as f64 / 60.0, "minute"),
        s => (s as f64 / 3600.0, "hour"),
    };
    let amount = number(amount, 1);
    format!("{amount} {unit}{}", if amount == "1" { "" } else { "s" })
}

/// `1 day`, `13 days`; also hours, replicas…
pub(crate) fn many(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", headroom_model::units::thousands(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_title() {
        let g = GIB as f64;
        assert_eq!(cores_step(4.0, 2.0), "4 → 2 cores");
        assert_eq!(cores_step(1.5, 0.9), "1.5 → 0.9 cores");
        assert_eq!(bytes_step(8.0 * g, 5.5 * g), "8 → 5.5 GiB");
        assert_eq!(bytes_step(g / 2.0, 1.25 * g), "512 MiB → 1.25 GiB");
        assert_eq!(bytes_step(g / 4.0, 0.625 * g), "256 → 640 MiB");
        assert_eq!((millis(612.4), millis(1234.0), percent(0.0008)), ("612 ms".into(), "1.2 s".into(), "0.08 %".into()));
        assert_eq!(
            (time(30), time(60), time(5400), time(12_600)),
            ("30 seconds".into(), "1 minute".into(), "90 minutes".into(), "3.5 hours".into())
        );
        assert_eq!((many(1, "day"), many(13, "day")), ("1 day".into(), "13 days".into()));
    }
}
