//! What a class is called: by what its centre is like.

use super::{Class, Traits};

/// A trait that stands out, in words.
const DAILY: f64 = 0.35;
const WEEKLY: f64 = 0.15;
/// Four times the median at the 99th percentile.
const BURSTY: f64 = 1.386;
/// Twelve times: mostly idle, then all at once.
const BATCH: f64 = 2.485;
/// Growth a day.
const GROWING: f64 = 0.02;
/// GiB per core.
const HEAVY: (f64, f64) = (16.0, 1.0);

/// Names all classes, each differently: alike ones by their memory per core, then by their size, then by a number.
pub(super) fn give(classes: &mut [Class]) {
    let mut names: Vec<String> = classes.iter().map(|c| behaviour(&c.centre).to_owned()).collect();
    for more in [memory as fn(&Traits) -> Option<&'static str>, size] {
        let before = names.clone();
        for (i, class) in classes.iter().enumerate() {
            let shared = before.iter().filter(|n| **n == before[i]).count() > 1;
            if let Some(word) = more(&class.centre).filter(|_| shared) {
                names[i] = format!("{}, {word}", before[i]);
            }
        }
    }
    for i in 0..names.len() {
        let earlier = names[..i].iter().filter(|n| **n == names[i]).count();
        classes[i].name = if earlier == 0 { names[i].clone() } else { format!("{} ({})", names[i], earlier + 1) };
    }
}

fn behaviour(t: &Traits) -> &'static str {
    let growth = if t.trend.abs() >= t.memory_growth.unwrap_or(0.0).abs() { t.trend } else { t.memory_growth.unwrap_or(0.0) };
    if t.weekly >= WEEKLY {
        "weekly rhythm"
    } else if t.daily >= DAILY {
        "daily rhythm"
    } else if t.burstiness >= BATCH {
        "batch"
    } else if t.burstiness >= BURSTY {
        "bursty"
    } else if growth >= GROWING {
        "growing"
    } else if growth <= -GROWING {
        "shrinking"
    } else {
        "steady"
    }
}

fn memory(t: &Traits) -> Option<&'static str> {
    let ratio = t.memory_per_core?.exp();
    if ratio >= HEAVY.0 {
        Some("memory-heavy")
    } else if ratio <= HEAVY.1 {
        Some("compute-heavy")
    } else {
        Some("balanced")
    }
}

fn size(t: &Traits) -> Option<&'static str> {
    let cores = t.cores?.exp();
    Some(match cores {
        c if c >= 4.0 => "large",
        c if c >= 0.25 => "medium",
        _ => "small",
    })
}
