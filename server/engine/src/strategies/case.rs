//! One service under analysis: its features, what it asks for, and how a draft becomes a proposal.

use super::cpu::SATURATED;
use super::gain::{Gain, gain, gain_of_part, latency};
use super::resize::{round_bytes, round_cores};
use crate::analysis::Input;
use crate::features::{Features, Profile, by_quarter};
use crate::prices::PriceBook;
use crate::replay::{Question, replay};
use crate::rightsize::confidence::{Confidence, Relation};
use crate::rightsize::record::Record;
use crate::rightsize::{Day, Needs, Now, Resource, Walk, days, needs, walk};
use crate::risk::Risks;
use crate::samples::Samples;
use crate::sketch::{Kept, Past, starting, unthrottled};
use crate::words;
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Evidence, ExpectedImprovement, Proposal, Replay, UseBar};
use headroom_model::service::{Parameter, ResourceState};
use headroom_model::units::{self, Money};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// The demand for one resource and what it was sized to.
pub(crate) struct Demand<'a> {
    /// The metric it was taken from.
    pub metric: Metric,
    /// Demand per replica by the quarter of an hour; where throttling hid a part of it, with that part estimated, and without what starting up takes.
    pub samples: Samples,
    /// The same of every sample, a day at a time.
    kept: Vec<Kept>,
    /// The largest use while starting up, where that was left out; else 0.
    pub start_up: f64,
    /// What its days needed.
    pub needs: Needs<'a>,
    /// What to ask for instead of what is asked for now; `None` where nothing was ever used.
    pub value: Option<f64>,
    /// The walk through its days, taken once somebody asks for it.
    walk: OnceCell<Walk>,
}

/// Samples of a short job below which nothing is proposed.
const FEWEST_OF_A_JOB: u32 = 24;

/// Halvings until the largest value that there is room for is found: to a thousandth of a range.
const BISECTIONS: u32 = 12;

/// One service under analysis.
pub struct Case<'a> {
    /// What was asked.
    pub input: &'a Input<'a>,
    /// What is known of the service.
    pub features: Features,
    /// What it pays: of a short job, for the time that it runs.
    pub(crate) prices: PriceBook,
    /// The share of a day that it runs for, 0 to 1; less than 1 for a short job.
    running: f64,
    /// By the quarter of an hour.
    pub(crate) samples: BTreeMap<Metric, Samples>,
    pub(crate) cpu: Option<Demand<'a>>,
    pub(crate) memory: Option<Demand<'a>>,
}

/// What the cluster has no room for.
pub(crate) struct Cut {
    /// What would have been asked for.
    pub wanted: f64,
    /// Why there is no room for it, in words.
    pub why: String,
}

/// A proposal in the making.
pub(crate) struct Draft {
    pub strategy: &'static str,
    pub kind: OptimizationType,
    pub title: String,
    pub description: String,
    pub recommended: ResourceState,
    /// Replicas that run no longer, mean over time, where the state itself does not tell.
    pub freed_replicas: Option<f64>,
    /// Percent.
    pub performance: f64,
    /// Milliseconds of p95.
    pub latency_ms: f64,
    /// Before what came of the strategy's proposals so far corrects it.
    pub confidence: Confidence,
    pub evidence: Vec<Evidence>,
    pub replays: Vec<Replay>,
    pub risks: Risks,
    pub cure: bool,
}

impl Demand<'_> {
    /// What its days were like, oldest first.
    pub fn days(&self) -> Vec<Day<'_>> {
        self.kept.iter().map(Kept::day).collect()
    }

    /// For how long a day a value would have been short at most, and of how much, in words to follow others; `None` where it never was.
    pub fn shortage(&self, value: f64) -> Option<String> {
        let days = self.days();
        let longest = days.iter().map(|day| i64::from(day.above(value)) * day.step).max().filter(|secs| *secs > 0)?;
        let peak = days.iter().fold(0.0, |most: f64, day| most.max(f64::from(day.peak())));
        let time = words::time(longest);
        // Of nothing there is no multiple.
        let times = Some(peak / value).filter(|times| times.is_finite()).map(|times| words::number(times, 1));
        let when = times.map_or_else(String::new, |times| format!(", when up to {times} times as much was used"));
        Some(format!(": for up to {time} a day{when}"))
    }
}

impl<'a> Case<'a> {
    /// Puts the days together and learns from them.
    #[must_use]
    pub fn new(input: &'a Input<'a>) -> Self {
        let past = Past::of(input.days);
        let samples = by_quarter(past);
        let features = Features::from_past(past, &samples);
        let running = past.running_share();
        let mut case = Self { input, features, prices: input.prices.running(running), running, samples, cpu: None, memory: None };
        let (cpu, memory) = (case.features.cpu().map(|c| c.0), case.features.memory().map(|m| m.0));
        case.cpu = cpu.map(|m| {
            let wanted = past.demanded(m);
            let demand = demanded(&case.samples, m, wanted.cut);
            let now = case.cpu_request().filter(|_| m == Metric::CpuUsage);
            let month = now.and_then(|cores| case.prices.cpu_month(cores, case.replicas()));
            let now = now.map(|cores| case.now(cores, month, round_cores));
            Demand { start_up: wanted.start_up, ..case.sized("cpu", m, demand, wanted.days, now) }
        });
        case.memory = memory.map(|m| {
            let now = case.memory_request().filter(|_| m == Metric::MemoryWorkingSet);
            let month = now.and_then(|bytes| case.prices.memory_month(bytes, case.replicas()));
            case.sized("memory", m, case.samples[&m].clone(), past.kept(m), now.map(|bytes| case.now(bytes, month, round_bytes)))
        });
        case
    }

    /// The walk through the days of a demand.
    pub(crate) fn walk<'d>(&self, demand: &'d Demand<'_>) -> &'d Walk {
        demand.walk.get_or_init(|| walk(&demand.days(), demand.metric, self.input.policy, &self.input.fleet))
    }

    fn sized(&self, strategy: &str, metric: Metric, samples: Samples, kept: Vec<Kept>, now: Option<Now>) -> Demand<'a> {
        let needs = needs(&kept.iter().map(Kept::day).collect::<Vec<_>>(), metric, self.input.policy);
        let value = needs.decide(now.as_ref(), self.record(strategy));
        Demand { metric, samples, kept, start_up: 0.0, needs, value, walk: OnceCell::new() }
    }

    /// What right-sizing asks for of a demand, whatever is asked for today; `None` where nothing was used.
    pub(crate) fn right_size(&self, strategy: &str, metric: Metric, samples: &Samples) -> Option<f64> {
        self.decided(strategy, &needs(&days(samples), metric, self.input.policy))
    }

    /// The same of what CPU each day needed (cores, how much of the day is known), without what policy puts under it.
    pub(crate) fn right_size_days(&self, strategy: &str, days: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
        self.decided(strategy, &Needs::of_days(Resource::Cpu, self.input.policy, days))
    }

    fn decided(&self, strategy: &str, needs: &Needs<'_>) -> Option<f64> {
        let much = Now { value: f64::INFINITY, least: 0.0, round: round_cores };
        if needs.is_idle() { None } else { needs.decide(Some(&much), self.record(strategy)) }
    }

    /// A request as it is. What policy asks a change to save is a share of what the whole service costs, of which this request costs `month`.
    fn now(&self, value: f64, month: Option<Money>, round: fn(f64) -> f64) -> Now {
        let whole = self.prices.month(self.state()).zip(month).filter(|(_, part)| part.micros > 0);
        let times = whole.map_or(1.0, |(whole, part)| (whole.units() / part.units()).max(1.0));
        Now { value, least: times * self.input.policy.recommendation_threshold / 100.0, round }
    }

    /// Why its cluster has no room for a state, in words; `None` where it has, or where that is not known.
    pub(crate) fn refusal(&self, next: &ResourceState) -> Option<String> {
        self.input.room?.refusal(self.state(), next)
    }

    /// The value nearest to what is `wanted` that there is room for between it and what is asked for `now`, and what was cut of it.
    pub(crate) fn within(&self, now: f64, wanted: f64, round: fn(f64) -> f64, state: impl Fn(f64) -> ResourceState) -> (f64, Option<Cut>) {
        let Some(why) = self.refusal(&state(wanted)) else { return (wanted, None) };
        let (mut fits, mut refused) = (now, wanted);
        for _ in 0..BISECTIONS {
            let middle = round(f64::midpoint(fits, refused));
            if self.refusal(&state(middle)).is_none() { fits = middle } else { refused = middle }
        }
        (fits, Some(Cut { wanted, why }))
    }

    /// What came of a strategy's proposals so far.
    fn record(&self, strategy: &str) -> &'a Record {
        self.input.records.map_or(Record::none(), |r| r.of(strategy))
    }

    pub(crate) fn state(&self) -> &ResourceState {
        &self.input.service.state
    }
    pub(crate) fn profile(&self, metric: Metric) -> Option<&Profile> {
        self.features.get(metric)
    }
    /// CPU request per replica, from the state or from the metrics of an imported service.
    pub(crate) fn cpu_request(&self) -> Option<f64> {
        self.asked(self.state().cpu_request().map(|c| c.get()), Metric::CpuRequest)
    }
    pub(crate) fn memory_request(&self) -> Option<f64> {
        self.asked(self.state().memory_request().map(|b| b.as_f64()), Metric::MemoryRequest)
    }
    pub(crate) fn memory_limit(&self) -> Option<f64> {
        self.asked(self.state().memory_limit().map(|b| b.as_f64()), Metric::MemoryLimit)
    }
    fn asked(&self, state: Option<f64>, metric: Metric) -> Option<f64> {
        state.or_else(|| if self.state().containers.is_empty() { self.profile(metric).map(|p| p.last) } else { None }).filter(|v| *v > 0.0)
    }
    /// Replicas that serve, at least 1.
    pub(crate) fn replicas(&self) -> f64 {
        let measured = || self.profile(Metric::Replicas).map(|p| p.p50);
        self.state().replicas.map(f64::from).or_else(measured).unwrap_or(1.0).max(1.0)
    }
    pub(crate) fn throttled(&self) -> f64 {
        self.profile(Metric::CpuThrottled).map_or(0.0, |p| p.mean)
    }
    /// Whether throttling is worse than policy allows.
    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled() > self.input.policy.max_throttled_ratio
    }
    /// 95th percentile of CPU use over the request.
    pub(crate) fn cpu_saturation(&self) -> Option<f64> {
        Some(self.profile(Metric::CpuUsage)?.p95_decayed / self.cpu_request()?)
    }
    /// Whether CPU use is so near the request that more is needed: beyond 80 %, and beyond where right-sizing by policy puts it.
    pub(crate) fn is_saturated(&self) -> bool {
        let sized = 1.0 / (1.0 + self.input.policy.cpu_margin);
        self.cpu_saturation().is_some_and(|s| s > SATURATED.max(sized + 0.03))
    }
    /// 95th percentile of memory use over the request.
    pub(crate) fn memory_saturation(&self) -> Option<f64> {
        Some(self.profile(Metric::MemoryWorkingSet)?.p95_decayed / self.memory_request()?)
    }
    pub(crate) fn latency_p95(&self) -> Option<&Profile> {
        self.profile(Metric::LatencyP95).or_else(|| self.profile(Metric::LatencyP99))
    }
    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.state().parameters.get(name)
    }
    pub(crate) fn gain(&self, cause: &Samples, moved: impl Fn(f64) -> f64) -> Option<Gain> {
        gain(&self.samples, cause, moved)
    }
    /// What shrinking a part of every request's time to `left` of it is expected to do to p95.
    pub(crate) fn gain_of_part(&self, part: &Samples, left: f64) -> Option<Gain> {
        gain_of_part(&self.samples, part, left)
    }
    pub(crate) fn has_latency(&self) -> bool {
        latency(&self.samples).is_some()
    }
    /// Confidence in a promise that held on `kept` of `judged` days.
    pub(crate) fn confidence(&self, kept: usize, judged: usize, noise: f64, fit: f64) -> Confidence {
        Relation { kept, judged, coverage: self.features.coverage, noise, fit }.confidence()
    }
    /// Confidence in a promise that rests on a relation.
    pub(crate) fn trust(&self, gain: &Gain) -> Confidence {
        self.confidence(gain.kept, gain.judged, self.latency_p95().map_or(0.0, |p| p.noise), gain.trust())
    }

    /// What a state saves a month against the state now; `None` when either cannot be priced.
    pub(crate) fn saving(&self, recommended: &ResourceState) -> Option<Money> {
        let (now, then) = (self.prices.month(self.state())?, self.prices.month(recommended)?);
        Some(now.minus(then))
    }

    /// What one replica costs a month.
    fn replica_month(&self) -> Option<Money> {
        self.prices.month(&ResourceState { replicas: Some(1), volume: None, ..self.state().clone() })
    }

    /// CPU and memory per replica against what is asked for and what a state would ask for.
    pub(crate) fn bars(&self, recommended: Option<&ResourceState>) -> Vec<UseBar> {
        let bar = |demand: &Option<Demand<'_>>, request: Option<f64>, proposed: Option<f64>| {
            let demand = demand.as_ref()?;
            let p = self.profile(demand.metric)?;
            Some(UseBar { metric: demand.metric, p50: p.p50, p99: p.p99, peak: p.peak, request, proposed })
        };
        let differs = |new: Option<f64>, old: Option<f64>| new.filter(|n| old.is_none_or(|o| (n - o).abs() > 1e-9 * o.abs()));
        let cpu = recommended.and_then(|s| differs(s.cpu_request().map(|c| c.get()), self.cpu_request()));
        let memory = recommended.and_then(|s| differs(s.memory_request().map(|b| b.as_f64()), self.memory_request()));
        [bar(&self.cpu, self.cpu_request(), cpu), bar(&self.memory, self.memory_request(), memory)].into_iter().flatten().collect()
    }

    /// The replay of CPU per replica with a value held.
    pub(crate) fn replay_cpu(&self, row: &str, value: Option<f64>) -> Option<Replay> {
        let demand = self.cpu.as_ref()?;
        let priced = demand.metric == Metric::CpuUsage;
        let price = |v| if priced { self.prices.cpu_month(v, self.replicas()) } else { None };
        Some(self.replay(demand, value.map(|v| (row, v)), self.cpu_request(), &price))
    }

    /// The replay of memory per replica with a limit held.
    pub(crate) fn replay_memory(&self, row: &str, value: Option<f64>) -> Option<Replay> {
        let demand = self.memory.as_ref()?;
        let priced = demand.metric == Metric::MemoryWorkingSet;
        let price = |v| if priced { self.prices.memory_month(v, self.replicas()) } else { None };
        let today = self.memory_limit().or_else(|| self.memory_request());
        Some(self.replay(demand, value.map(|v| (row, v)), today, &price))
    }

    /// The replay of the CPU of all replicas together.
    pub(crate) fn replay_fleet(&self, replicas: f64) -> Option<Replay> {
        let request = self.cpu_request()?;
        let total = self.total_cpu()?;
        let price = |v| self.prices.cpu_month(v, 1.0);
        Some(replay(&Question {
            metric: Metric::CpuUsage,
            samples: &total,
            days: &days(&total),
            daily: None,
            proposal: Some(("headroom", request * replicas)),
            today: Some(request * self.replicas()),
            price: &price,
        }))
    }

    fn replay(
        &self,
        demand: &Demand<'_>,
        proposal: Option<(&str, f64)>,
        today: Option<f64>,
        price: &dyn Fn(f64) -> Option<Money>,
    ) -> Replay {
        let daily = Some(&self.walk(demand).held);
        replay(&Question { metric: demand.metric, samples: &demand.samples, days: &demand.days(), proposal, daily, today, price })
    }

    /// CPU demand of all replicas together, cores.
    pub(crate) fn total_cpu(&self) -> Option<Samples> {
        let demand = self.cpu.as_ref().filter(|d| d.metric == Metric::CpuUsage)?;
        let serving = self.samples.get(&Metric::Replicas);
        let now = self.replicas();
        Some(demand.samples.map(|t, v| v * serving.and_then(|r| r.at(t)).unwrap_or(now)))
    }

    /// Scores a draft and completes it.
    pub(crate) fn proposal(&self, draft: Draft) -> Proposal {
        let saving = match draft.freed_replicas {
            Some(freed) => self.replica_month().map(|m| Money::from_units(m.units() * freed, m.currency)),
            None => self.saving(&draft.recommended),
        };
        let now = self.prices.month(self.state()).filter(|m| m.micros > 0);
        let percent = saving.zip(now).map(|(s, n)| 100.0 * s.units() / n.units());
        let uncorrected = draft.confidence.value;
        let sure = draft.confidence.corrected(self.record(draft.strategy));
        let expected = ExpectedImprovement {
            performance_gain_percent: finite(draft.performance),
            cost_reduction_percent: percent.map(finite),
            latency_reduction_ms: finite(draft.latency_ms),
            confidence: units::Confidence::clamped(sure.value),
            uncorrected: Some(units::Confidence::clamped(uncorrected)),
        };
        let priority = priority(&expected, saving, draft.cure);
        let mut risks = draft.risks;
        risks.history(self.features.days);
        Proposal {
            strategy: draft.strategy.to_owned(),
            optimization_type: draft.kind,
            title: draft.title,
            description: draft.description,
            bars: self.bars(Some(&draft.recommended)),
            recommended: draft.recommended,
            expected,
            confidence_drivers: sure.drivers,
            saving_month: saving,
            evidence: draft.evidence,
            replays: draft.replays,
            risk: risks.note(),
            priority,
            cure: draft.cure,
            schedule: None,
        }
    }

    /// Samples below which nothing is proposed: what policy asks for; of a short job, which has few, as many for the time that it runs.
    pub(crate) fn fewest_samples(&self) -> u32 {
        let least = self.input.policy.min_data_points;
        let share = self.running;
        if share < 1.0 { ((f64::from(least) * share).ceil() as u32).max(FEWEST_OF_A_JOB).min(least) } else { least }
    }

    /// What the data is like, in words.
    pub(crate) fn data_evidence(&self) -> Evidence {
        let f = &self.features;
        let share = self.running;
        if share < 1.0 {
            let runs = [&self.cpu, &self.memory].into_iter().flatten().map(|d| d.kept.len()).max().unwrap_or(0) as u64;
            let (minutes, days) = ((1440.0 * share).round() as u64, words::many(runs, "day"));
            let text = format!(
                "it runs for about {} a day, known from {days}; a month is priced by that share of it",
                words::many(minutes, "minute")
            );
            return says(runs >= 7, text);
        }
        let days = words::many(u64::from(f.days), "full day");
        if f.coverage > 0.995 {
            says(f.days >= 7, format!("{days} of data without gaps"))
        } else {
            says(f.coverage > 0.9 && f.days >= 7, format!("{days} of data, {} of the samples are there", words::percent(f.coverage)))
        }
    }

    /// On how many unseen days the rule held, in words.
    pub(crate) fn walk_evidence(&self, demand: &Demand<'_>) -> Evidence {
        let walk = self.walk(demand);
        let kept = walk.days.iter().filter(|d| d.kept).count();
        let all = walk.days.len();
        if all == 0 {
            return says(false, "too few days to check it on days it had not seen");
        }
        let days = words::many(all as u64, "unseen day");
        let text = format!("decided anew each day from the days before, it held on {kept} of {days}");
        // Of CPU, held does not mean that it was never short.
        let worst = walk.days.iter().filter(|d| d.kept && d.short > 0 && d.peak.is_finite()).max_by(|a, b| a.peak.total_cmp(&b.peak));
        let short = worst.filter(|_| Resource::of(demand.metric) == Some(Resource::Cpu)).map(|day| {
            let (time, peak) = (words::time(day.short), words::number(day.peak, 1));
            format!(": short for no longer than policy allows, at worst for {time}, when up to {peak} times as much was used")
        });
        says(10 * kept >= 9 * all, text + &short.unwrap_or_default())
    }
}

/// A line of evidence.
pub(crate) fn says(supports: bool, text: impl Into<String>) -> Evidence {
    Evidence { supports, text: text.into() }
}

/// The name of a type that a filter falls back to when the proposal's own was not asked for: money saved answers to cost, time saved to latency.
pub(crate) fn plain_type(proposal: &Proposal, wanted: &[OptimizationType]) -> Option<OptimizationType> {
    let own = proposal.optimization_type;
    if wanted.is_empty() || wanted.contains(&own) {
        return Some(own);
    }
    let saves = proposal.saving_month.is_some_and(|m| m.micros > 0);
    let faster = proposal.expected.latency_reduction_ms > 0.0;
    [(OptimizationType::Cost, saves), (OptimizationType::Latency, faster)]
        .into_iter()
        .find(|(t, is)| *is && wanted.contains(t))
        .map(|t| t.0)
}

/// `confidence × (money + severity + speed)`: money is 1 at about 17 and 3 at about 190 units a month, a cure adds 5, every 20 % of
/// performance adds 1 up to 5.
fn priority(expected: &ExpectedImprovement, saving: Option<Money>, cure: bool) -> f64 {
    let money = saving.map_or(0.0, |m| (m.units().max(0.0) / 10.0).ln_1p());
    let speed = (expected.performance_gain_percent.max(0.0) / 20.0).min(5.0);
    expected.confidence.get() * (money + speed + if cure { 5.0 } else { 0.0 })
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value + 0.0 } else { 0.0 } // −0 becomes 0
}

/// What was wanted of CPU by the quarter of an hour. `cut`: without starting up.
fn demanded(samples: &BTreeMap<Metric, Samples>, metric: Metric, cut: bool) -> Samples {
    let used = &samples[&metric];
    let all = match samples.get(&Metric::CpuThrottled) {
        Some(throttled) if throttled.peak() > 0.0 => unthrottled(used, throttled),
        _ => used.clone(),
    };
    let Some(restarts) = samples.get(&Metric::Restarts).filter(|_| cut) else { return all };
    let starts: Vec<i64> = restarts.points().filter(|(_, n)| *n > 0.0).map(|(t, _)| t).collect();
    all.map(|t, v| if starting(&starts, t) { f64::NAN } else { v })
}
