//! The text of `go test -bench`. Source: <https://go.googlesource.com/proposal/+/master/design/14313-benchmark-format.md>.

use super::{Run, Unreadable, seconds};
use std::collections::BTreeMap;

/// One run per benchmark and unit; repetitions (`-count`) are its values, in order.
pub(super) fn parse(text: &str) -> Result<Vec<Run>, Unreadable> {
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((key, value)) = setting(line) {
            settings.insert(key, value);
            continue;
        }
        let Some((name, measured)) = result(line) else { continue };
        let benchmark = settings.get("pkg").map_or_else(|| name.to_owned(), |package| format!("{package}.{name}"));
        for pair in measured.chunks(2) {
            let [value, unit] = pair else { return Err(Unreadable::new(format!("line {number}"), "a value has no unit")) };
            let value: f64 = value.parse().map_err(|_| Unreadable::new(format!("line {number}"), format!("{value:?} is not a number")))?;
            let place = *places.entry((benchmark.clone(), (*unit).to_owned())).or_insert_with(|| {
                runs.push(empty(&benchmark, unit, &settings));
                runs.len() - 1
            });
            runs[place].values.push(value);
        }
    }
    Ok(runs)
}

/// `key: value`, the key beginning in lower case.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let fits = key.starts_with(|c: char| c.is_lowercase()) && !key.contains(|c: char| c.is_whitespace() || c.is_uppercase());
    fits.then(|| (key, value.trim()))
}

/// The name, without the number of processors, and what stands after the number of iterations.
fn result(line: &str) -> Option<(&str, Vec<&str>)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.strip_prefix("Benchmark").filter(|n| !n.starts_with(|c: char| c.is_lowercase()))?;
    words.next()?.parse::<u64>().ok()?;
    let plain = name.rsplit_once('-').filter(|(_, processors)| processors.parse::<u32>().is_ok()).map_or(name, |(plain, _)| plain);
    Some((plain, words.collect()))
}

fn empty(benchmark: &str, unit: &str, settings: &BTreeMap<&str, &str>) -> Run {
    Run {
        benchmark: benchmark.to_owned(),
        unit: unit.to_owned(),
        higher_is_better: Some(unit.ends_with("/s")),
        values: Vec::new(),
        commit: settings.get("commit").map(|c| (*c).to_owned()),
        time: settings.get("commit-time").and_then(|t| seconds(t)),
    }
}
