//! Cache size: where p95 is above half a second and look-ups miss.

use super::case::says;
use super::gain::Gain;
use super::resize::round_bytes;
use super::{Case, Draft, Strategy, scale_memory};
use crate::risk::Risks;
use crate::words::{bytes, bytes_step, millis, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::Parameter;
use headroom_model::units::Bytes;

/// Grows caches that miss too often.
pub struct Cache;

/// p95 above this is slow, milliseconds.
const SLOW: f64 = 500.0;
/// Look-ups that should be answered by the cache.
const GOOD: f64 = 0.9;
/// Misses fall with the size to this power: the usual shape of skewed access. An assumption, said in the evidence.
const POWER: f64 = 0.5;

fn size(case: &Case) -> Option<f64> {
    match case.parameter("cache_size")? {
        Parameter::Bytes(b) if b.get() > 0 => Some(b.as_f64()),
        _ => None,
    }
}

fn is_slow(case: &Case) -> bool {
    case.latency_p95().is_some_and(|p| p.p95_decayed > SLOW)
}

impl Strategy for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.profile(Metric::CacheHitRatio).is_some_and(|p| p.peak <= 1.05)
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(hit) = case.profile(Metric::CacheHitRatio) else { return Vec::new() };
        let low = hit.p50 < GOOD && is_slow(case);
        let verdict = if low { Verdict::Under } else { Verdict::Optimal };
        let with = size(case).map_or(String::new(), |s| format!(" with {}", bytes(s)));
        let text = format!("Cache: {} of look-ups are answered{with}", percent(hit.p50));
        vec![Finding { resource: "cache".to_owned(), verdict, text, bottleneck: low }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let now = size(case)?;
        let hit = case.profile(Metric::CacheHitRatio).filter(|h| h.p50 < GOOD)?;
        let latency = case.latency_p95().filter(|_| is_slow(case))?;
        let miss = 1.0 - hit.p50;
        let factor = (miss / (1.0 - GOOD)).powf(1.0 / POWER).clamp(1.25, 4.0);
        let wanted = round_bytes(now * factor);
        let remaining = (now / wanted).powf(POWER);
        let (gain, seen) = relief(case, remaining)?;
        let mut recommended = case.state().clone();
        recommended.parameters.insert("cache_size".to_owned(), Parameter::Bytes(Bytes::ceil_mib(wanted)));
        let mut risks = Risks::default();
        if let Some(more) = make_room(case, &mut recommended, wanted - now) {
            risks.add(RiskKind::Room, Risk::Low, format!("memory is raised by {} to hold it", bytes(more)));
        }
        risks.restart(case.state().replicas);
        risks.add(RiskKind::SideEffect, Risk::Low, "the cache starts empty after the restart");
        let then = (latency.p95_decayed - gain.ms).max(0.0);
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Performance,
            title: format!("Cache {}: p95 {} → {}", bytes_step(now, wanted), millis(latency.p95_decayed), millis(then)),
            description: format!(
                "Grow the cache from {} to {}, so that about {} of look-ups are answered instead of {}.",
                bytes(now),
                bytes(wanted),
                percent(1.0 - miss * remaining),
                percent(hit.p50)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.percent,
            latency_ms: gain.ms,
            confidence: case.trust(&gain),
            evidence: vec![
                says(true, format!("p95 reaches {} while {} of look-ups miss", millis(latency.p95_decayed), percent(miss))),
                says(2 * gain.kept >= gain.judged, format!("{seen} on {} of {} days", gain.kept, gain.judged)),
                says(false, "that misses fall with the square root of the size is assumed: its history knows one size only"),
                case.data_evidence(),
            ],
            replays: case.replay_memory("headroom", case.memory_limit()).into_iter().collect(),
            risks,
            cure: false,
        }))
    }
}

/// What fewer misses do to p95, and what its days show. A miss costs the time of its database, where that is measured; else what p95 did
/// with misses so far.
fn relief(case: &Case, remaining: f64) -> Option<(Gain, &'static str)> {
    if let Some(database) = case.samples.get(&Metric::DatabaseTime) {
        return Some((case.gain_of_part(database, remaining)?, "the database behind it was a tenth of p95 or more"));
    }
    let misses = case.samples.get(&Metric::CacheHitRatio)?.map(|_, h| (1.0 - h).max(0.0));
    Some((case.gain(&misses, |m| m * remaining)?, "p95 rose with misses"))
}

/// Raises memory where the larger cache would not fit beside the peak; how much, if so.
fn make_room(case: &Case, state: &mut headroom_model::service::ResourceState, extra: f64) -> Option<f64> {
    let peak = case.profile(Metric::MemoryWorkingSet)?.peak;
    let (request, limit) = (case.memory_request()?, case.memory_limit());
    let needed = (peak + extra) * (1.0 + case.input.policy.memory_margin / 2.0);
    if needed <= limit.unwrap_or(request) {
        return None;
    }
    let total = round_bytes(request.max(needed));
    *state = scale_memory(state, &case.input.service.key.name, total, needed);
    Some(total - request).filter(|more| *more > 0.0)
}
