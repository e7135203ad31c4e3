use super::*;
use proptest::prelude::*;

fn read(format: Format, text: &str) -> Vec<Run> {
    parse(format, text, "named").unwrap()
}

fn brief(runs: &[Run]) -> Vec<(&str, &str, bool, &[f64])> {
    runs.iter().map(|r| (r.benchmark.as_str(), r.unit.as_str(), r.higher_is_better.unwrap_or_default(), r.values.as_slice())).collect()
}

#[test]
fn criterion_in_its_three_shapes() {
    let sample = r#"{"sampling_mode":"Linear","iters":[10.0,20.0],"times":[1000.0,2100.0]}"#;
    assert_eq!(brief(&read(Format::Criterion, sample)), [("named", "ns", false, &[100.0, 105.0][..])]);
    let estimate = |v: f64| {
        format!(
            r#"{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":1.0,"upper_bound":9.0}},"point_estimate":{v:?},"standard_error":0.1}}"#
        )
    };
    let estimates =
        |slope: &str| format!(r#"{{"mean":{},"median":{},"slope":{slope},"std_dev":{}}}"#, estimate(7.0), estimate(6.0), estimate(1.0));
    assert_eq!(read(Format::Criterion, &estimates("null"))[0].values, [7.0]);
    assert_eq!(read(Format::Criterion, &estimates(&estimate(5.0)))[0].values, [5.0]);
    let messages = concat!(
        r#"{"reason":"benchmark-complete","id":"fib 20","iteration_count":[30,60],"measured_values":[300.0,660.0],"unit":"ns","throughput":[]}"#,
        "\n",
        r#"{"reason":"group-complete","group_name":"fib","benchmarks":["fib 20"]}"#,
        "\n"
    );
    assert_eq!(brief(&read(Format::Criterion, messages)), [("fib 20", "ns", false, &[10.0, 11.0][..])]);
}

#[test]
fn hyperfine_with_parameters() {
    let text = r#"{"results":[{"command":"sleep {t}","mean":0.2,"stddev":null,"median":0.2,"user":0.0,"system":0.0,"min":0.1,"max":0.3,
        "times":[0.1,0.3],"exit_codes":[0,0],"parameters":{"t":"0.1"}},{"command":"true","mean":0.5}]}"#;
    assert_eq!(
        brief(&read(Format::Hyperfine, text)),
        [("sleep {t} [t=0.1]", "s", false, &[0.1, 0.3][..]), ("true", "s", false, &[0.5][..])]
    );
}

#[test]
fn k6_summaries_and_lines() {
    let new = r#"{"metrics":{"http_req_duration":{"type":"trend","contains":"time","values":{"avg":5.5,"med":5.0,"p(95)":9.0,"max":11.0}},
        "http_reqs":{"type":"counter","contains":"default","values":{"count":100,"rate":50.5}},"vus":{"type":"gauge","values":{"value":1}}}}"#;
    let found = read(Format::K6, new);
    let wanted: [(&str, &str, bool, &[f64]); 4] = [
        ("http_req_duration avg", "ms", false, &[5.5]),
        ("http_req_duration med", "ms", false, &[5.0]),
        ("http_req_duration p(95)", "ms", false, &[9.0]),
        ("http_reqs", "/s", true, &[50.5]),
    ];
    assert_eq!(brief(&found), wanted);
    let old = r#"{"metrics":{"http_req_failed":{"passes":1,"fails":99,"value":0.01},"iteration_duration":{"avg":1.0}}}"#;
    assert_eq!(
        brief(&read(Format::K6, old)),
        [("http_req_failed", "ratio", false, &[0.01][..]), ("iteration_duration avg", "ms", false, &[1.0][..])]
    );
    let lines = r#"{"type":"Metric","data":{"type":"gauge","contains":"default"},"metric":"vus"}
{"type":"Point","data":{"time":"2017-05-09T14:34:45.625742514+02:00","value":5,"tags":null},"metric":"vus"}
{"type":"Metric","data":{"type":"trend","contains":"time"},"metric":"http_req_duration"}
{"type":"Point","data":{"time":"2017-05-09T14:34:45+02:00","value":459.5,"tags":{"status":"200"}},"metric":"http_req_duration"}
{"type":"Point","data":{"time":"2017-05-09T14:34:46+02:00","value":460.5,"tags":null},"metric":"http_req_duration"}
"#;
    let found = read(Format::K6, lines);
    assert_eq!(brief(&found), [("http_req_duration", "ms", false, &[459.5, 460.5][..])]);
    assert_eq!(found[0].time, Some(1_494_333_285));
}

#[test]
fn wrk_and_wrk2() {
    let text = "Running 30s test @ http://test/\n  1 threads and 1 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   196.78us  152.72us   6.68ms   97.98%
    Req/Sec     5.25k   670.20     6.17k    74.75%
  Latency Distribution
     50%  181.00us
     99%    1.50ms
  157179 requests in 30.10s, 46.91MB read
Requests/sec:   5221.68
Transfer/sec:      1.56MB
";
    let found = read(Format::Wrk, text);
    let wanted: [(&str, &str, bool, f64); 4] = [
        ("named latency mean", "ms", false, 0.19678),
        ("named latency p50", "ms", false, 0.181),
        ("named latency p99", "ms", false, 1.5),
        ("named requests", "/s", true, 5221.68),
    ];
    for (run, (name, unit, higher, value)) in found.iter().zip(wanted) {
        assert_eq!((run.benchmark.as_str(), run.unit.as_str(), run.higher_is_better), (name, unit, Some(higher)));
        assert!((run.values[0] - value).abs() < 1e-9);
    }
    assert_eq!(found.len(), 4);
    let second = "  Latency Distribution (HdrHistogram - Recorded Latency)\n 50.000%   10.21s \n 99.990%   16.83s \n\n  Detailed Percentile spectrum:\n 7%  1.00s\n";
    let found = read(Format::Wrk, second);
    assert_eq!(brief(&found), [("named latency p50", "ms", false, &[10210.0][..]), ("named latency p99.99", "ms", false, &[16830.0][..])]);
}

#[test]
fn jmh_with_forks_and_parameters() {
    let text = r#"[{"jmhVersion":"1.37","benchmark":"org.A.list","mode":"thrpt","threads":1,"forks":2,"params":{"n":"10"},
        "primaryMetric":{"score":3.5,"scoreError":"NaN","scoreUnit":"ops/s","rawData":[[3.0,4.0],[3.5]]},"secondaryMetrics":{}},
        {"benchmark":"org.A.map","mode":"sample","primaryMetric":{"score":2.5,"scoreUnit":"us/op"}}]"#;
    assert_eq!(
        brief(&read(Format::Jmh, text)),
        [("org.A.list [n=10]", "ops/s", true, &[3.0, 4.0, 3.5][..]), ("org.A.map", "us/op", false, &[2.5][..])]
    );
    let nan = r#"[{"benchmark":"b","mode":"avgt","primaryMetric":{"score":"NaN","scoreUnit":"s"}}]"#;
    assert_eq!(parse(Format::Jmh, nan, "").unwrap_err().to_string(), "benchmark \"b\": \"NaN\" is not a number");
}

#[test]
fn go_with_repetitions_and_units() {
    let text =
        "goos: linux\ngoarch: amd64\npkg: example.org/sort\ncpu: Some CPU @ 3.00GHz\ncommit: abc123\ncommit-time: 2024-01-02T03:04:05Z
BenchmarkInts-8   \t  1000\t   1234.5 ns/op\t  64 B/op\t       2 allocs/op
BenchmarkInts-8   \t  1000\t   1240 ns/op\t  64 B/op\t       2 allocs/op
BenchmarkCopy/size=1-8 \t 500\t 20 ns/op\t 512.5 MB/s
Benchmarking is no result\nPASS\nok  \texample.org/sort\t2.0s\n";
    let found = read(Format::Go, text);
    let wanted: [(&str, &str, bool, &[f64]); 5] = [
        ("example.org/sort.Ints", "ns/op", false, &[1234.5, 1240.0]),
        ("example.org/sort.Ints", "B/op", false, &[64.0, 64.0]),
        ("example.org/sort.Ints", "allocs/op", false, &[2.0, 2.0]),
        ("example.org/sort.Copy/size=1", "ns/op", false, &[20.0]),
        ("example.org/sort.Copy/size=1", "MB/s", true, &[512.5]),
    ];
    assert_eq!(brief(&found), wanted);
    assert_eq!((found[0].commit.as_deref(), found[0].time), (Some("abc123"), Some(1_704_164_645)));
    assert_eq!(parse(Format::Go, "BenchmarkA 10 x ns/op\n", "").unwrap_err().to_string(), "line 1: \"x\" is not a number");
}

#[test]
fn plain_json_and_csv() {
    let json = r#"[{"benchmark":"a","values":[1,2],"unit":"ms","commit":"c1","time":"2024-01-02T03:04:05Z"},{"benchmark":"b","values":[3],"time":7}]"#;
    let found = read(Format::Json, json);
    assert_eq!((found[0].time, found[1].time, found[0].commit.as_deref()), (Some(1_704_164_645), Some(7), Some("c1")));
    let csv = "benchmark,value,unit,commit,time,higher_is_better\na,1,ms,c1,7,\na,2,ms,c1,7,\na,3,ms,c2,8,\nt,9,/s,c2,8,true\n";
    let found = read(Format::Csv, csv);
    let wanted: [(&str, &str, bool, &[f64]); 3 + 1] =
        [("a", "ms", false, &[1.0, 2.0]), ("a", "ms", false, &[3.0]), ("t", "/s", true, &[9.0]), ("t", "/s", true, &[9.0])];
    assert_eq!(brief(&found), wanted[..3]);
    let said: Vec<Option<bool>> = found.iter().map(|run| run.higher_is_better).collect();
    assert_eq!(said, [None, None, Some(true)], "nothing is said where nothing stands");
    let fault = |format, text| parse(format, text, "").unwrap_err().to_string();
    assert_eq!(fault(Format::Csv, "benchmark,value\na,1\na,x\n"), "line 3: field 1: invalid float literal");
    assert_eq!(fault(Format::Csv, "benchmark,value\na,1,2\n"), "line 2: the row has 3 columns, the header has 2");
    assert_eq!(
        fault(Format::Csv, "benchmark,value\na,inf\n"),
        "line 2: the value inf is not finite: leave the row out where nothing was measured"
    );
    assert_eq!(fault(Format::Json, "[{\"benchmark\":\"a\",\"values\":[]}]"), "benchmark \"a\": has no values");
    assert_eq!(fault(Format::Json, "[\n{\"benchmark\":1}]"), "line 2 column 14: invalid type: integer `1`, expected a string");
    assert_eq!(fault(Format::Go, "PASS\n"), "the text: holds no measurement");
}

#[test]
fn what_has_no_unit_is_in_values() {
    let json = read(Format::Json, "[{\"benchmark\":\"a\",\"values\":[1]},{\"benchmark\":\"b\",\"values\":[1],\"unit\":\" \"}]");
    assert!(json.iter().all(|run| run.unit == UNSAID_UNIT));
    assert_eq!(read(Format::Csv, "benchmark,value,unit\na,1,\n")[0].unit, UNSAID_UNIT);
    let k6 = r#"{"metrics":{"queue_length":{"type":"trend","contains":"default","values":{"avg":5.5}}}}"#;
    assert_eq!(brief(&read(Format::K6, k6)), [("queue_length avg", "value", false, &[5.5][..])]);
}

#[test]
fn a_command_of_several_lines_is_kept_on_one() {
    let text = r#"{"results":[{"command":"cd x &&\n  make","mean":1.0},{"command":"cd x && make","mean":2.0}]}"#;
    let found = read(Format::Hyperfine, text);
    assert!(found[0].benchmark.starts_with("cd x && make #"), "{}", found[0].benchmark);
    assert_eq!(found[1].benchmark, "cd x && make");
}

#[test]
fn a_time_in_other_units_is_refused() {
    let fault = parse(Format::Json, "[{\"benchmark\":\"a\",\"values\":[1],\"time\":1704164645000000}]", "").unwrap_err().to_string();
    assert_eq!(fault, "benchmark \"a\": the time 1704164645000000 is not in seconds since 1970");
}

/// Hand-computed: differences of {1,2,3,4} and {6,7,8,9} are 2..8 with median 5, of a median of 2.5.
#[test]
fn a_comparison_by_hand() {
    let c = compare(&[1.0, 2.0, 3.0, 4.0], &[6.0, 7.0, 8.0, 9.0], false, 1.0).unwrap();
    assert_eq!((c.shift_percent, c.cliffs_delta, c.chance_above), (200.0, 1.0, 1.0));
    assert_eq!((c.low_percent, c.high_percent), (80.0, 320.0));
    assert!((c.p_value - 0.020_921).abs() < 1e-5, "{}", c.p_value);
    assert_eq!(c.verdict, Verdict::Unclear);
    let ties = compare(&[1.0, 1.0], &[1.0, 2.0], false, 1.0).unwrap();
    assert_eq!((ties.cliffs_delta, ties.chance_above), (0.5, 0.75));
    assert_eq!(compare(&[0.0, 0.0], &[1.0], false, 1.0), None);
    assert_eq!(compare(&[], &[1.0], false, 1.0), None);
}

#[test]
fn verdicts_know_which_way_is_better() {
    let old: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i * 7 % 11) / 10.0).collect();
    let verdict = |factor: f64, higher| compare(&old, &old.iter().map(|v| v * factor).collect::<Vec<_>>(), higher, 2.0).unwrap().verdict;
    assert_eq!(verdict(1.1, false), Verdict::Slower);
    assert_eq!(verdict(1.1, true), Verdict::Faster);
    assert_eq!(verdict(0.9, false), Verdict::Faster);
    assert_eq!(verdict(1.001, false), Verdict::Same);
    assert_eq!(compare(&old[..2], &[200.0, 201.0], false, 2.0).unwrap().verdict, Verdict::Unclear);
}

fn event(time: i64, name: &str) -> Event {
    Event { time, name: name.to_owned() }
}

#[test]
fn a_change_is_attributed_to_what_lies_between_else_to_the_nearest() {
    let events = [event(10, "a"), event(95, "b"), event(130, "c")];
    let found = attribute(90, 100, &events, 60).unwrap();
    assert_eq!((found.event.name.as_str(), found.seconds, found.alone_between), ("b", 5, true));
    let found = attribute(110, 120, &events, 60).unwrap();
    assert_eq!((found.event.name.as_str(), found.seconds, found.alone_between), ("c", -10, false));
    assert_eq!(attribute(500, 510, &events, 60), None);
    assert_eq!(attribute(i64::MIN, i64::MAX, &[event(0, "x")], 0).unwrap().event.name, "x");
}

#[test]
fn a_regression_names_commit_and_deploy() {
    let run = |i: i64| Run {
        benchmark: "sort".to_owned(),
        unit: "ns".to_owned(),
        higher_is_better: None,
        values: vec![if i < 30 { 100.0 } else { 120.0 } + (i * 7 % 5) as f64; 3],
        commit: Some(format!("c{i}")),
        time: Some(1000 + 60 * i),
    };
    let runs: Vec<Run> = (0..60).rev().map(run).collect();
    let found = regressions(&runs, 1.0, &[event(1000 + 60 * 30 - 10, "v2"), event(0, "v1")], 3600);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].verdict, found[0].commit.as_deref(), found[0].change.index), (Verdict::Slower, Some("c30"), 30));
    let due = found[0].attribution.as_ref().unwrap();
    assert_eq!((due.event.name.as_str(), due.seconds, due.alone_between), ("v2", 10, true));
    assert_eq!(regressions(&runs, 50.0, &[], 0), []);
}

fn any_format() -> impl Strategy<Value = Format> {
    use Format::*;
    prop::sample::select(vec![Criterion, Hyperfine, K6, Wrk, Jmh, Go, Json, Csv])
}

/// Text that is nearly what the tools write: their words and marks, shuffled.
fn nearly() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\n",
        " ",
        "1",
        "1e999",
        "-0",
        "NaN",
        "null",
        "\"reason\"",
        "\"iters\"",
        "\"times\"",
        "Benchmark",
        "BenchmarkA-8",
        "10",
        "ns/op",
        "Latency",
        "Distribution",
        "50%",
        "%",
        "1.5ms",
        "us",
        "Requests/sec:",
        "benchmark,value\n",
        "a,1\n",
        "é",
        "\u{0}",
        "\"metrics\"",
        "{\"results\":[",
        "{\"iters\":[0.0],\"times\":[1.0]}",
        "{\"type\":\"Point\",\"metric\":\"m\",\"data\":{}}\n",
        "pkg: p\n",
        "commit-time: 9\n",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|w| w.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_breaks_a_parser(format in any_format(), text in prop_oneof![nearly(), any::<String>()]) {
        if let Ok(runs) = parse(format, &text, "n") {
            prop_assert!(!runs.is_empty() && runs.iter().all(|r| !r.values.is_empty() && r.values.iter().all(|v| v.is_finite())));
        }
    }

    #[test]
    fn no_values_break_a_comparison(a in prop::collection::vec(any::<f64>(), 0..30), b in prop::collection::vec(any::<f64>(), 0..30), higher: bool) {
        if let Some(c) = compare(&a, &b, higher, 1.0) {
            prop_assert!(c.shift_percent.is_finite() && c.low_percent <= c.high_percent);
            prop_assert!((0.0..=1.0).contains(&c.p_value) && (-1.0..=1.0).contains(&c.cliffs_delta) && (0.0..=1.0).contains(&c.chance_above));
        }
    }
}
