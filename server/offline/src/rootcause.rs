//! `headroom rootcause`: which service began a trouble, from metrics and who calls whom.

use crate::{Failure, Table};
use headroom_engine::rootcause::{Evidence, Graph, Kind, Suspect, rank};
use headroom_infra::import::seconds;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `headroom rootcause` is asked.
#[derive(Debug, clap::Args)]
pub struct RootCause {
    /// A CSV, plain or gzip (- reads standard input): either the header time,service,metric,value (and pod), or a column time and one
    /// column per metric, named `SERVICE_METRIC`; with a column phase (normal, anomalous) and perhaps case, the phases are compared
    pub file: PathBuf,
    /// A CSV with the header caller,callee
    #[arg(long, value_name = "FILE")]
    pub calls: Option<PathBuf>,
    /// When the trouble began (RFC 3339 or epoch seconds); of a file with phases, the cases whose anomalous phase was then
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Only this case of a file with cases
    #[arg(long)]
    pub case: Option<String>,
}

/// Samples of one metric of one pod.
type Samples = Vec<(i64, f64)>;

/// One metric of one service: its samples by pod (or by phase).
type Metrics = BTreeMap<(String, String), BTreeMap<String, Samples>>;

/// A file by case; without cases there is one, named "".
type Cases = BTreeMap<String, Metrics>;

/// The phases of a file that has them.
const PHASES: [&str; 2] = ["normal", "anomalous"];
/// Seconds of history that call rates are learnt from.
const RATES_FROM: i64 = 6 * 3600;

/// Ranks the services of a file and writes JSON: `{services: […]}`, or `{cases: {CASE: {services: […]}}}` where there are several.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn run(arguments: &RootCause, out: &mut impl Write) -> Result<(), Failure> {
    let ranked = ranked(arguments)?;
    let answers: BTreeMap<&str, Value> = ranked.iter().map(|(case, suspects)| (case.as_str(), answer(suspects))).collect();
    match answers.first_key_value() {
        Some((_, only)) if answers.len() == 1 => crate::write_json(out, only),
        _ => crate::write_json(out, &json!({ "cases": answers })),
    }
}

/// The suspects of each case, the most suspicious first; one case named "" for a file without cases.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn ranked(arguments: &RootCause) -> Result<BTreeMap<String, Vec<Suspect>>, Failure> {
    let bad = |fault: String| Failure::BadInput(format!("{}: {fault}", arguments.file.display()));
    let at = match &arguments.at {
        Some(text) => Some(seconds(text.as_bytes()).map_err(|e| Failure::BadInput(format!("--at: {e}")))?),
        None => None,
    };
    let stdin = |p: &Path| p.as_os_str() == "-";
    if stdin(&arguments.file) && arguments.calls.as_deref().is_some_and(stdin) {
        return Err(Failure::BadInput("-: standard input can be only one of the two files".into()));
    }
    let calls = arguments.calls.as_deref().map_or_else(|| Ok(Vec::new()), read_calls)?;
    let mut table = Table::open(&arguments.file, &["time"])?;
    let has = |name: &str| table.header().iter().any(|n| n == name);
    let (long, phases) = (has("service") && has("metric") && has("value"), has("phase"));
    let mut cases = if long { read_long(&mut table)? } else { read_wide(&mut table)? };
    if let Some(case) = &arguments.case {
        cases.retain(|name, _| name == case);
    }
    if let (true, Some(at)) = (phases && !long, at) {
        cases.retain(|_, metrics| happened(metrics, at));
    }
    if cases.is_empty() {
        let wanted = [arguments.case.as_deref(), arguments.at.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        return Err(bad(format!("no case {wanted}: see the columns case and phase")));
    }
    match (phases && !long, at) {
        (true, _) => Ok(cases.iter().map(|(case, metrics)| (case.clone(), of_phases(metrics, &calls))).collect()),
        (false, Some(at)) => cases
            .iter()
            .map(|(case, metrics)| Ok((case.clone(), around(metrics, &calls, at).ok_or_else(|| bad(outside(metrics, at)))?)))
            .collect(),
        (false, None) => Err(bad("--at is needed: when did the trouble begin? (only a file with a column phase goes without)".to_owned())),
    }
}

fn answer(suspects: &[Suspect]) -> Value {
    let services: Vec<Value> = suspects
        .iter()
        .enumerate()
        .map(|(i, s)| json!({ "rank": i + 1, "service": s.service, "score": (s.score * 1e4).round() / 1e4, "metric": s.metric, "reason": s.reason }))
        .collect();
    let mut all = json!({ "services": services });
    if suspects.iter().all(|s| s.score <= 0.0) {
        all["reason"] = json!("nothing rose beyond what is usual: no service is more suspicious than another");
    }
    all
}

fn read_calls(file: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut table = Table::open(file, &["caller", "callee"])?;
    let mut calls = Vec::new();
    while table.advance()? {
        calls.push((table.text(0)?.to_owned(), table.text(1)?.to_owned()));
    }
    Ok(calls)
}

/// The place of a column of the file.
fn place(table: &Table<'_>, name: &str) -> Option<usize> {
    table.header().iter().position(|n| n == name)
}

fn field<'a>(table: &'a Table<'_>, at: Option<usize>) -> &'a str {
    at.and_then(|at| std::str::from_utf8(table.field(at)).ok()).unwrap_or_default()
}

/// A number, or `None` where nothing was measured (an empty field, or NaN).
fn number(table: &Table<'_>, at: usize) -> Result<Option<f64>, Failure> {
    let text = field(table, Some(at));
    if text.is_empty() {
        return Ok(None);
    }
    let name = &table.header()[at];
    let value: f64 = text.parse().map_err(|_| table.fault(format!("the {name} {text:?} is not a number: write for example 0.25")))?;
    if value.is_infinite() { Err(table.fault(format!("the {name} is infinite"))) } else { Ok((!value.is_nan()).then_some(value)) }
}

fn read_long(table: &mut Table<'_>) -> Result<Cases, Failure> {
    let columns = ["service", "metric", "pod", "case"].map(|name| place(table, name));
    let value = place(table, "value").unwrap_or_default();
    let mut cases = Cases::new();
    while table.advance()? {
        let (time, value) = (table.time(0)?, number(table, value)?);
        let [service, metric, pod, case] = columns.map(|at| field(table, at));
        if service.is_empty() || metric.is_empty() {
            return Err(table.fault("the service or the metric is missing".to_owned()));
        }
        if let Some(value) = value {
            add(&mut cases, case, (service, metric), pod, (time, value));
        }
    }
    Ok(cases)
}

fn read_wide(table: &mut Table<'_>) -> Result<Cases, Failure> {
    let [case, phase] = ["case", "phase"].map(|name| place(table, name));
    let columns: Vec<(usize, String, String)> = table
        .header()
        .iter()
        .enumerate()
        .filter(|(_, name)| !matches!(name.as_str(), "time" | "case" | "phase"))
        .filter_map(|(at, name)| name.split_once('_').map(|(service, metric)| (at, service.to_owned(), metric.to_owned())))
        .collect();
    if columns.is_empty() {
        return Err(table.fault("the header needs time,service,metric,value, or time and columns named SERVICE_METRIC".to_owned()));
    }
    let mut cases = Cases::new();
    while table.advance()? {
        let time = table.time(0)?;
        let (case, part) = (field(table, case), field(table, phase));
        if phase.is_some() && !PHASES.contains(&part) {
            return Err(table.fault(format!("the phase {part:?} is neither normal nor anomalous")));
        }
        for (at, service, metric) in &columns {
            if let Some(value) = number(table, *at)? {
                add(&mut cases, case, (service, metric), part, (time, value));
            }
        }
    }
    Ok(cases)
}

fn add(cases: &mut Cases, case: &str, (service, metric): (&str, &str), part: &str, sample: (i64, f64)) {
    if !cases.contains_key(case) {
        cases.insert(case.to_owned(), Metrics::new());
    }
    let parts = cases.get_mut(case).map(|m| m.entry((service.to_owned(), metric.to_owned())).or_default());
    if let Some(parts) = parts {
        match parts.get_mut(part) {
            Some(samples) => samples.push(sample),
            None => drop(parts.insert(part.to_owned(), vec![sample])),
        }
    }
}

/// Whether a case's anomalous phase was under way.
fn happened(metrics: &Metrics, at: i64) -> bool {
    let times = || metrics.values().filter_map(|parts| parts.get(PHASES[1])).flatten().map(|s| s.0);
    times().min().is_some_and(|first| first <= at) && times().max().is_some_and(|last| at <= last)
}

fn of_phases(metrics: &Metrics, calls: &[(String, String)]) -> Vec<Suspect> {
    let values = |parts: &BTreeMap<String, Samples>, phase: &str| -> Vec<f64> {
        parts.get(phase).map(|samples| samples.iter().map(|s| s.1).collect()).unwrap_or_default()
    };
    let evidence: Vec<Evidence> = metrics
        .iter()
        .map(|((service, metric), parts)| Evidence::of_phases(service, metric, &values(parts, PHASES[0]), &values(parts, PHASES[1])))
        .collect();
    rank(&evidence, &Graph::new(calls, &loads(metrics, |phase, _| phase == PHASES[0])))
}

/// The suspects of a trouble that began at a moment; `None` when no metric has samples on both sides of it.
fn around(metrics: &Metrics, calls: &[(String, String)], at: i64) -> Option<Vec<Suspect>> {
    let mut evidence = Vec::new();
    for ((service, metric), pods) in metrics {
        let all: Samples = pods.values().flatten().copied().collect();
        let step = step(&all);
        // A pod that is too new to have a past is compared with the past of its service.
        let mut of_pods: Vec<Evidence> = pods.values().map(|samples| Evidence::at(service, metric, samples, step, at)).collect();
        if of_pods.iter().all(|e| e.before.len() < 2 || e.after.is_empty()) {
            of_pods = vec![Evidence::at(service, metric, &all, step, at)];
        }
        evidence.append(&mut of_pods);
    }
    let graph = Graph::new(calls, &loads(metrics, |_, time| (at - RATES_FROM..at).contains(&time)));
    evidence.iter().any(|e| !e.before.is_empty() && !e.after.is_empty()).then(|| rank(&evidence, &graph))
}

fn outside(metrics: &Metrics, at: i64) -> String {
    let times = || metrics.values().flat_map(BTreeMap::values).flatten().map(|s| s.0);
    let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    format!("no metric has samples before and after --at {at}: the file reaches from {first} to {last} (seconds since 1970)")
}

/// The usual distance of samples, seconds, at least 1.
fn step(samples: &[(i64, f64)]) -> i64 {
    let mut times: Vec<i64> = samples.iter().map(|s| s.0).collect();
    times.sort_unstable();
    times.dedup();
    let mut gaps: Vec<i64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(1).max(1)
}

/// Requests per second of each service by interval, pods together, from the samples that `wanted` (pod or phase, time) accepts.
fn loads(metrics: &Metrics, wanted: impl Fn(&str, i64) -> bool) -> BTreeMap<String, BTreeMap<i64, f64>> {
    let mut loads: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    for ((service, metric), parts) in metrics {
        if Kind::of(metric) != Kind::Load || loads.contains_key(service) {
            continue;
        }
        let step = step(&parts.values().flatten().copied().collect::<Samples>());
        let mut load: BTreeMap<i64, f64> = BTreeMap::new();
        for (part, samples) in parts {
            for (time, value) in samples.iter().filter(|(time, _)| wanted(part, *time)) {
                *load.entry(time.div_euclid(step)).or_default() += value;
            }
        }
        loads.insert(service.clone(), load);
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(metrics: &str, calls: Option<&str>, at: Option<&str>, case: Option<&str>) -> Result<Value, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let (file, links) = (dir.path().join("m.csv"), dir.path().join("c.csv"));
        std::fs::write(&file, metrics).unwrap();
        std::fs::write(&links, calls.unwrap_or_default()).unwrap();
        let [at, case] = [at, case].map(|t| t.map(str::to_owned));
        let mut out = Vec::new();
        run(&RootCause { file, calls: calls.map(|_| links), at, case }, &mut out)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    fn long() -> String {
        let mut text = String::from("time,service,pod,metric,value\n");
        for minute in 0..70 {
            let (time, noise, fault) = (minute * 60, minute % 3, minute >= 60);
            let rows = [
                ("web", "client_latency", if fault { 2.0 } else { 0.1 }),
                ("web", "cpu", 20.0),
                ("db", "cpu", if fault { 95.0 } else { 10.0 }),
                ("cache", "cpu", 10.0),
            ];
            for (service, metric, value) in rows {
                text.push_str(&format!("{time},{service},{service}-0,{metric},{}\n", value * (1.0 + 0.02 * f64::from(noise))));
            }
        }
        text
    }

    #[test]
    fn a_long_file_is_ranked_around_a_moment() {
        let calls = "caller,callee\nweb,db\nweb,cache\n";
        let answer = asked(&long(), Some(calls), Some("1970-01-01T01:00:00Z"), None).unwrap();
        assert_eq!(answer["services"][0]["service"], "db");
        assert_eq!(answer["services"][0]["metric"], "cpu");
        assert_eq!(answer["services"].as_array().unwrap().len(), 3);
        let early = asked(&long(), Some(calls), Some("600"), None).unwrap();
        assert!(early["services"][0]["score"].as_f64().unwrap() < 0.5, "{early}");
        assert!(answer["reason"].is_null(), "{answer}");
        let calm = "time,service,metric,value\n".to_owned() + &(0..70).map(|i| format!("{},a,cpu,5\n", 60 * i)).collect::<String>();
        assert!(asked(&calm, None, Some("3600"), None).unwrap()["reason"].as_str().unwrap().contains("nothing rose"));
    }

    #[test]
    fn a_wide_file_is_ranked_case_by_case() {
        let mut text = String::from("case,phase,time,a_cpu,b_cpu,b_lat_90\n");
        for i in 0..20 {
            text.push_str(&format!("one,normal,{i},1{i},5,\none,anomalous,{},10,90,0.2\n", i + 1000));
            text.push_str(&format!("two,anomalous,{},99,5,0.2\ntwo,normal,{i},1{i},5,0.2\n", i + 5000));
        }
        let both = asked(&text, None, None, None).unwrap();
        assert_eq!(both["cases"]["one"]["services"][0]["service"], "b");
        assert_eq!(both["cases"]["two"]["services"][0]["service"], "a");
        assert_eq!(asked(&text, None, None, Some("two")).unwrap(), both["cases"]["two"]);
        assert_eq!(asked(&text, None, Some("1005"), None).unwrap(), both["cases"]["one"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let both = RootCause { file: "-".into(), calls: Some("-".into()), at: Some("1".to_owned()), case: None };
        assert!(ranked(&both).unwrap_err().to_string().contains("only one of the two"));
        let fault = |text: &str, at: Option<&str>, case: Option<&str>| asked(text, None, at, case).unwrap_err().to_string();
        assert!(fault(&long(), None, None).contains("--at is needed"));
        assert!(fault(&long(), Some("noon"), None).starts_with("--at: "));
        assert!(fault(&long(), Some("999999"), None).contains("the file reaches from 0 to 4140"));
        assert!(fault("time,x\n1,2\n", Some("1"), None).contains("columns named SERVICE_METRIC"));
        assert!(fault("time,a_cpu\n1,many\n", Some("1"), None).contains("line 2: the a_cpu \"many\" is not a number"));
        assert!(fault("phase,time,a_cpu\nodd,1,2\n", None, None).contains("neither normal nor anomalous"));
        assert!(fault("case,phase,time,a_cpu\nx,normal,1,2\n", None, Some("y")).contains("no case y"));
    }
}
