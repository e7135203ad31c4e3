//! The text of wrk and wrk2. Sources: wg/wrk, `src/wrk.c` and `src/units.c`; giltene/wrk2.

use super::{Run, Unreadable};

/// Milliseconds of a time as wrk writes it: `181.00us`, `10.24s`, `1.00m`.
fn milliseconds(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let scale = match &text[at..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        _ => return None,
    };
    text[..at].parse::<f64>().ok().map(|v| v * scale)
}

/// Mean latency, every percentile of the latency distribution and requests per second, each a benchmark of its own.
pub(super) fn parse(text: &str, name: &str) -> Result<Vec<Run>, Unreadable> {
    let mut runs = Vec::new();
    let mut distribution = false;
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let fault = |what: &str| Unreadable::new(format!("line {number}"), format!("{what} expected, found {:?}", line.trim()));
        match words.as_slice() {
            ["Latency", "Distribution", ..] => distribution = true,
            ["Latency", mean, _, _, _] => {
                let mean = milliseconds(mean).ok_or_else(|| fault("a latency"))?;
                runs.push(run(format!("{name} latency mean"), "ms", false, mean));
            }
            [share, time] if distribution && share.ends_with('%') => {
                let percent: f64 = share.trim_end_matches('%').parse().map_err(|_| fault("a percentile"))?;
                let time = milliseconds(time).ok_or_else(|| fault("a latency"))?;
                runs.push(run(format!("{name} latency p{percent}"), "ms", false, time));
            }
            ["Requests/sec:", rate] => {
                let rate = rate.parse().map_err(|_| fault("a number of requests per second"))?;
                runs.push(run(format!("{name} requests"), "/s", true, rate));
            }
            _ => distribution = false,
        }
    }
    Ok(runs)
}

fn run(benchmark: String, unit: &str, higher_is_better: bool, value: f64) -> Run {
    Run { benchmark, unit: unit.to_owned(), higher_is_better: Some(higher_is_better), values: vec![value], commit: None, time: None }
}
