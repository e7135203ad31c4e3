//! Root cause on injected faults of two systems: the rank of the service that the fault was put into.

use headroom_offline::Table;
use headroom_offline::rootcause::{RootCause, ranked};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Faults in code, which need not leave a trace in metrics: reported, not in the total.
const IN_CODE: [&str; 2] = ["return", "exception"];

/// The ranks of the faulty services of one kind of fault.
type Ranks = Vec<usize>;

/// Scores `headroom rootcause`: a section of the document, or `None` without the data.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let data = data.join("rootcause");
    let mut groups: Vec<(String, Ranks)> = Vec::new();
    for (system, ranks) in [("Online Boutique", online_boutique(&data)?), ("Sock Shop", sock_shop(&data)?)] {
        groups.extend(ranks.into_iter().map(|(fault, ranks)| (format!("{system}, {fault}"), ranks)));
    }
    Ok((!groups.is_empty()).then(|| section(&groups)))
}

/// Faults one after the other in one file: each is asked for by its time.
fn online_boutique(data: &Path) -> Result<BTreeMap<String, Ranks>, String> {
    let [metrics, faults, calls] =
        ["metrics.csv.gz", "faults.csv", "dependencies.csv"].map(|f| data.join(format!("nezha_online_boutique_{f}")));
    let mut ranks: BTreeMap<String, Ranks> = BTreeMap::new();
    if !metrics.exists() {
        return Ok(ranks);
    }
    let faults = rows(&faults, &["time", "service", "fault_type"])?;
    let times: Vec<String> = faults.iter().map(|f| f[0].clone()).collect();
    for (fault, time) in faults.iter().zip(times) {
        let asked = RootCause { file: metrics.clone(), calls: Some(calls.clone()), at: Some(time), case: None };
        ranks.entry(fault[2].clone()).or_default().push(rank_of(&fault[1], &asked, "")?);
    }
    Ok(ranks)
}

/// Cases of two phases each in one file.
fn sock_shop(data: &Path) -> Result<BTreeMap<String, Ranks>, String> {
    let [metrics, cases] = ["rcd_sock_shop.csv.gz", "rcd_sock_shop_cases.csv"].map(|f| data.join(f));
    let mut ranks: BTreeMap<String, Ranks> = BTreeMap::new();
    if !metrics.exists() {
        return Ok(ranks);
    }
    for case in rows(&cases, &["case", "service", "fault"])? {
        let asked = RootCause { file: metrics.clone(), calls: None, at: None, case: Some(case[0].clone()) };
        ranks.entry(case[2].clone()).or_default().push(rank_of(&case[1], &asked, &case[0])?);
    }
    Ok(ranks)
}

/// The place of a service in the command's answer; one behind the last when it is not there.
fn rank_of(service: &str, asked: &RootCause, case: &str) -> Result<usize, String> {
    let answer = ranked(asked).map_err(|e| e.to_string())?;
    let suspects = answer.get(case).ok_or_else(|| format!("no answer for the case {case:?}"))?;
    Ok(1 + suspects.iter().position(|s| s.service == service).unwrap_or(suspects.len()))
}

fn rows(file: &Path, columns: &[&'static str]) -> Result<Vec<Vec<String>>, String> {
    let mut table = Table::open(file, columns).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    while table.advance().map_err(|e| e.to_string())? {
        all.push((0..columns.len()).map(|i| table.text(i).map(str::to_owned).map_err(|e| e.to_string())).collect::<Result<_, _>>()?);
    }
    Ok(all)
}

fn section(groups: &[(String, Ranks)]) -> String {
    let share = |ranks: &[usize], top: usize| ranks.iter().filter(|r| **r <= top).count() as f64 / ranks.len().max(1) as f64;
    let row = |name: &str, ranks: &[usize]| format!("| {name} | {} | {:.2} | {:.2} |\n", ranks.len(), share(ranks, 1), share(ranks, 3));
    let in_code = |name: &str| IN_CODE.iter().any(|f| name.ends_with(f));
    let all: Ranks = groups.iter().filter(|(name, _)| !in_code(name)).flat_map(|(_, r)| r.clone()).collect();
    let mut out = String::from(
        "## Root cause\n\nInjected faults; the rank of the faulty service among all. Online Boutique (Nezha): 10 services, one sample a minute, \
         the time of the fault is given. Sock Shop (RCD): 13 services, one phase without and one with the fault, no call graph. \
         No labels are used, and the constants are the same for both. Bar: 0.90 in the top 1, 0.97 in the top 3.\n\n\
         | fault | cases | top 1 | top 3 |\n| --- | --- | --- | --- |\n",
    );
    for (name, ranks) in groups {
        out.push_str(&row(name, ranks));
    }
    out.push_str(&row("**all but faults in code**", &all));
    // The write into a string cannot fail.
    let _ = writeln!(
        out,
        "\nFaults in code (return, exception) need not show in metrics and are left out of the last row. What is missed of the others are delays of a \
         service's network: they show only in its callers' waiting time, so callees that the same callers call alike cannot be told apart by it, \
         and where a service gets less than a tenth of its callers' calls, their 90th percentile hardly moves. Tried without gain: other \
         windows before and after, the median of the best three samples in a row, a steeper fall of visibility with the share of calls, a bound by the \
         tail of a caller's own calls on what a callee that gets few of them can move. Repeat with `make eval`; one fault: `headroom rootcause METRICS.csv --calls DEPS.csv --at TIME`."
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_in_code_are_not_in_the_total() {
        let text = section(&[("A, cpu".to_owned(), vec![1, 1, 2, 4]), ("A, return".to_owned(), vec![9])]);
        assert!(text.contains("| A, cpu | 4 | 0.50 | 0.75 |"));
        assert!(text.contains("| A, return | 1 | 0.00 | 0.00 |"));
        assert!(text.contains("| **all but faults in code** | 4 | 0.50 | 0.75 |"));
    }
}
