//! What comes from outside is bent and broken at random: nothing that reads it panics. A seed is a thousand inputs; seeds.rs says how
//! many there are. Prometheus, OpenMetrics and YAML have no parser yet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

#[path = "../../service/tests/workflow/house/seeds.rs"]
mod seeds;
mod site;

use headroom_engine::benchmarks::{Format, parse};
use headroom_infra::import::read_usage;
use headroom_model::policy::PolicyPatch;
use headroom_model::quantity;
use headroom_model::windows::ChangeWindows;
use headroom_server::config::Config;
use headroom_server::serve::wall;
use seeds::{Dice, Row, Run};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Inputs per seed.
const INPUTS: u64 = 1_000;

const fn row(name: &'static str) -> Row {
    Row { name, full: 10_000, short: 3, batch: 100 }
}

/// Pieces that readers look for, or trip over.
const PIECES: [&str; 40] = [
    ",",
    ";",
    "\"",
    "\n",
    "\r\n",
    "=",
    ".",
    "-",
    "--",
    "e",
    "E999",
    "0",
    "-0",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "NaN",
    "inf",
    "null",
    "true",
    "{}",
    "[[",
    "]]",
    "{\"a\":",
    "'''",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "é",
    "🦀",
    "%00",
    "%ff",
    "Ki",
    "Ei",
    "m",
    " in Europe/Berlin",
    "*/0",
    "L#W",
    "2026-02-30T25:61:61Z",
];

/// A text of the kind, bent: mostly a little, so that it gets past the first look.
fn bent(dice: &mut Dice, good: &[&str]) -> Vec<u8> {
    let mut text = dice.pick(good).as_bytes().to_vec();
    for _ in 0..=dice.roll(5) {
        let at = dice.roll(text.len() + 1);
        let to = (at + dice.roll(12)).min(text.len());
        match dice.roll(7) {
            0 => drop(text.drain(at..to)),
            1 => {
                let again = text[at..to].to_vec();
                text.splice(at..at, again);
            }
            2 if at < text.len() => text[at] ^= 1 << dice.roll(8),
            3 if at < text.len() => text[at] = u8::try_from(dice.roll(256)).unwrap(),
            4 => text.truncate(at),
            5 => {
                let other = dice.pick(good).as_bytes();
                text.splice(at..to, other[dice.roll(other.len() + 1)..].iter().copied());
            }
            _ => drop(text.splice(at..to, dice.pick(&PIECES).bytes())),
        }
        text.truncate(4_000);
    }
    text
}

/// Lets a reader read what each seed makes; says which input was too much for it.
async fn readers(name: &'static str, good: &[&str], read: impl Fn(&[u8])) {
    let seeds = async |run: &Run, seeds: Range<u64>| {
        for seed in seeds {
            let _trial = run.trial(seed);
            let mut dice = Dice::new(seed);
            for _ in 0..INPUTS {
                let input = bent(&mut dice, good);
                let done = catch_unwind(AssertUnwindSafe(|| read(&input)));
                assert!(done.is_ok(), "it could not read {:?}", lossy(&input));
            }
        }
    };
    row(name).run("none", seeds).await;
}

fn lossy(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[tokio::test]
async fn fuzz_csv() {
    let good = [
        "time,service,metric,value\n2026-11-18T10:00:00Z,api,cpu_usage_cores,0.5\n2026-11-18T10:05:00Z,api,cpu_usage_cores,0.6\n",
        "time,service,metric,value,cluster,namespace,workload,container,unit\n1763460000,api,memory_working_set_bytes,1e9,c,n,Deployment,app,bytes\n\
         1763460300,api,memory_working_set_bytes,1,c,n,Deployment,app,GiB\n1763460300,api,restarts,2,c,n,Deployment,side,count\n",
        "service,value,time,metric,unit\n\"a,b\",100,1763460000,cpu_request_cores,millicores\n\"a,b\",2,2026-11-18T10:05:00Z,cpu_request_cores,cores\n",
    ];
    for text in good {
        assert!(read_usage(text.as_bytes(), "usage.csv").is_ok(), "{text}");
    }
    readers("fuzz_csv", &good, |input| drop(read_usage(input, "usage.csv"))).await;
}

#[tokio::test]
async fn fuzz_benchmarks() {
    let good = [
        "{\"results\":[{\"command\":\"ls\",\"mean\":0.15,\"times\":[0.1,0.2]}]}",
        "[{\"benchmark\":\"a.B.c\",\"mode\":\"thrpt\",\"primaryMetric\":{\"score\":1.5,\"scoreUnit\":\"ops/s\",\"rawData\":[[1.4,1.6]]}}]",
        "goos: linux\nBenchmarkA-2  100  12.5 ns/op  3 B/op\n",
        "Running 1s test @ http://127.0.0.1\n  Latency  1.20ms  0.5ms  9.0ms  80.00%\n  10 requests in 1.00s, 1.00MB read\nRequests/sec: 10.00\n",
        "[{\"benchmark\":\"a\",\"values\":[1,2],\"unit\":\"ms\",\"time\":\"2026-11-18T10:00:00Z\"}]",
        "benchmark,value,unit,commit,time\na,1.5,ms,abc,1763460000\n",
        "{\"sampling_mode\":\"Linear\",\"iters\":[1.0,2.0],\"times\":[2.0,4.1]}",
        "{\"metrics\":{\"http_req_duration\":{\"avg\":1,\"p(95)\":2},\"http_reqs\":{\"rate\":5}}}",
    ];
    let all = [Format::Hyperfine, Format::Jmh, Format::Go, Format::Wrk, Format::Json, Format::Csv, Format::Criterion, Format::K6];
    for (text, format) in good.iter().zip(all) {
        assert!(parse(format, text, "name").is_ok(), "{format:?}: {:?}", parse(format, text, "name"));
    }
    readers("fuzz_benchmarks", &good, |input| {
        let text = lossy(input);
        for format in all {
            if let Ok(runs) = parse(format, &text, "name") {
                assert!(!runs.is_empty() && runs.iter().all(|r| r.values.iter().all(|v| v.is_finite())), "{runs:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn fuzz_configuration() {
    let good = [
        "bind = \"127.0.0.1:3000\"\ndata_dir = \"/srv\"\nlease_secs = 30\ntrusted_proxy = false\n",
        "public_url = \"https://headroom.example.com\"\n[database]\nurl = \"postgres://me:secret@db/headroom\"\n",
        "[log]\nlevel = \"info,sqlx=warn\"\nformat = \"json\"\n[simulator]\nurl = \"http://127.0.0.1:7001\"\n",
    ];
    readers("fuzz_configuration", &good, |input| {
        if let Err(error) = Config::read("headroom.toml", &lossy(input)) {
            assert!(!error.to_string().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn fuzz_windows() {
    let good = [
        "allow 0 9 * * 1-5 for 8h in Europe/Berlin; deny 0 0 24 12 * for 8d",
        "deny * * * * * for 1d",
        "30m",
        "0.7",
        "COST_OPTIMIZATION, SCALING_OPTIMIZATION",
    ];
    let keys: Vec<&str> = headroom_model::policy::Policy::KEYS.iter().map(|k| k.0).collect();
    readers("fuzz_windows", &good, |input| {
        let text = lossy(input);
        if let Ok(windows) = text.parse::<ChangeWindows>() {
            assert_eq!(windows.to_string().parse::<ChangeWindows>().as_ref(), Ok(&windows), "it reads back as something else");
        }
        let key = keys[input.len() % keys.len()];
        drop(PolicyPatch::default().set(key, &text));
    })
    .await;
}

#[tokio::test]
async fn fuzz_quantities() {
    let good = ["500m", "1Gi", "0.25", "128974848", "129e6", "123Mi", "1k", "2.5Ei", "-1"];
    readers("fuzz_quantities", &good, |input| {
        if let Ok(value) = quantity::parse(&lossy(input)) {
            assert!(value.is_finite(), "{value}");
        }
    })
    .await;
}
