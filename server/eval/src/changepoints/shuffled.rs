//! False alarms and power: real noise without order, and the same with one step.

use super::{Detector, ours, peers};
use headroom_offline::Table;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Samples of a trial.
const LENGTH: usize = 100;

/// Trials per series.
const DRAWS: u64 = 20;

/// Trials per series of the microbenchmarks, which are many.
const FEW_DRAWS: u64 = 4;

/// Steps, as shares of the value; none first.
const STEPS: [f64; 5] = [0.0, 0.02, 0.05, 0.1, 0.2];

/// What trials of one detector came to, per step.
#[derive(Default, Clone, Copy)]
struct Tally {
    trials: f64,
    found: [f64; STEPS.len()],
    off: [f64; STEPS.len()],
}

impl Tally {
    fn plus(mut self, other: &Self) -> Self {
        let add = |own: &mut [f64], more: &[f64]| own.iter_mut().zip(more).for_each(|(a, b)| *a += b);
        self.trials += other.trials;
        add(&mut self.found, &other.found);
        add(&mut self.off, &other.off);
        self
    }
}

/// Table of false alarms and power.
pub fn section(changepoints: &Path, benchmarks: &Path) -> Result<String, String> {
    let mut noise = read(&changepoints.join("azure_vm_noise.csv.gz"), ["series", "value"])?;
    noise.extend(read(&changepoints.join("treeherder.csv.gz"), ["series", "value"])?);
    noise.retain(|_, values| values.len() >= LENGTH);
    let mut out = format!(
        "\n### False alarms and power\n\n{} real benchmark series (azure_vm_noise, treeherder), {DRAWS} seeded draws each: the whole series shuffled, {LENGTH} \
         values taken, all from the middle on (in the second table: from a drawn place between 20 and 80 on) made larger by 2, 5, 10 or 20 %. \
         A false alarm is any change in a draw without a step; power is the share of draws with a step in which any is found; in brackets the \
         mean distance of the nearest, samples.\n",
        noise.len()
    );
    for middle in [true, false] {
        out.push_str("\n| | false alarms | 2 % | 5 % | 10 % | 20 % |\n| --- | --- | --- | --- | --- | --- |\n");
        for (name, detector) in [("binary segmentation", peers::binary_segmentation as Detector), ("**Headroom**", ours)] {
            let t = trials(&noise, detector, DRAWS, middle, &STEPS);
            let cell = |i: usize| format!("{:.3} ({:.1})", t.found[i] / t.trials, t.off[i] / t.found[i].max(1.0));
            let cells: Vec<String> = (1..STEPS.len()).map(cell).collect();
            let _ = writeln!(out, "| {name} | {:.4} | {} |", t.found[0] / t.trials, cells.join(" | "));
        }
        if middle {
            out.push_str(
                "| published: binary segmentation | .017 | .39 | .64 | .84 | .99 |\n| published: Otava | .122 | .43 | .68 | .88 | .99 |\n",
            );
            out.push_str("| bar | ≤ .02 | more | more | more | more |\n");
        }
    }
    let file = benchmarks.join("go_microbenchmarks.csv.gz");
    if file.is_file() {
        let go = read(&file, ["benchmark", "value_ns"])?;
        let t = trials(&go.into_iter().filter(|(_, v)| v.len() >= LENGTH).collect(), ours, FEW_DRAWS, true, &STEPS[..1]);
        let _ = writeln!(out, "\nGo microbenchmarks, shuffled ({} draws): false alarms {:.4}.", t.trials, t.found[0] / t.trials);
    }
    Ok(out)
}

fn trials(noise: &BTreeMap<String, Vec<f64>>, detector: Detector, draws: u64, middle: bool, steps: &[f64]) -> Tally {
    let one = |(number, values): (usize, &Vec<f64>)| {
        let mut tally = Tally::default();
        for draw in 0..draws {
            let mut random = Random(number as u64 * 1_000_003 + draw * 7919 + 1);
            let drawn = random.shuffled(values);
            let at = if middle { LENGTH / 2 } else { 20 + random.below(61) };
            tally.trials += 1.0;
            for (i, step) in steps.iter().enumerate() {
                let stepped: Vec<f64> = drawn.iter().enumerate().map(|(j, v)| if j < at { *v } else { v * (1.0 + step) }).collect();
                let nearest = detector(&stepped).iter().map(|c| c.abs_diff(at)).min();
                if let Some(off) = nearest {
                    tally.found[i] += 1.0;
                    tally.off[i] += off as f64;
                }
            }
        }
        tally
    };
    let all: Vec<Tally> = noise.values().collect::<Vec<_>>().into_par_iter().enumerate().map(one).collect();
    all.iter().fold(Tally::default(), Tally::plus)
}

fn read(file: &Path, columns: [&'static str; 2]) -> Result<BTreeMap<String, Vec<f64>>, String> {
    let mut table = Table::open(file, &columns).map_err(|e| e.to_string())?;
    let mut out: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    while table.advance().map_err(|e| e.to_string())? {
        let value = table.number(1).map_err(|e| e.to_string())?;
        let name = table.text(0).map_err(|e| e.to_string())?;
        out.entry(name.to_owned()).or_default().push(value);
    }
    Ok(out)
}

/// SplitMix64: the same draws for every detector.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn shuffled(&mut self, values: &[f64]) -> Vec<f64> {
        let mut values = values.to_vec();
        for i in (1..values.len()).rev() {
            let other = self.below(i + 1);
            values.swap(i, other);
        }
        values.truncate(LENGTH);
        values
    }
}
