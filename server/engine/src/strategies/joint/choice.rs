//! Which number of replicas, with which requests and which autoscaler, is the cheapest that keeps every rule.

use super::super::cpu::SATURATED;
use super::super::resize::{round_bytes, round_cores};
use super::super::{Case, scale_cpu, scale_memory};
use super::fleet::{Count, Fleet, Run};
use headroom_model::metric::Metric;
use headroom_model::service::ResourceState;
use headroom_model::units::Money;

/// Share of the time at the autoscaler's maximum beyond which that is a bound.
const PINNED: f64 = 0.02;
/// The autoscaler's target is not chosen above this share of the request: what comes before it has acted needs the rest.
const HIGHEST_TARGET: f64 = 0.8;
/// Room above the busiest 1 % of the time that an autoscaler's maximum leaves.
const ROOM: f64 = 1.2;
/// A replica may be loaded to this share of its ceiling (the CPU limit, or else the request) without having shown it.
const UNSHOWN: f64 = 0.5;
/// While one replica is away the others may be loaded to this share of the ceiling.
const BEREFT: f64 = 0.9;
/// A CPU request is not made larger than this share of the limit.
const LARGEST: f64 = 0.6;
/// Latency this far above that of a replica with nothing to do is like it.
const LIKE_QUIET: f64 = 1.05;
/// Loads per replica that are tried for an autoscaler, as shares of the ceiling: from this one upwards, each a fifth above the last.
const LEAST_LOAD: f64 = 0.02;
const STEP: f64 = 1.2;
/// Choices of which it is worked out exactly what right-sizing would ask for: the estimates by which they are found are off by a few per cent.
const CLOSER: usize = 8;
/// What is this near to saturation may become it.
const NEARLY: f64 = 0.95;
/// More replicas than this many times today's are not proposed at once.
const MOST_GROWTH: u32 = 4;

/// How the service is scaled, sized and priced in one way.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub count: Count,
    /// The state that makes it so.
    pub state: ResourceState,
    /// Cores and bytes asked for per replica.
    pub cpu: f64,
    pub memory: Option<f64>,
    /// What it would have done.
    pub run: Run,
    /// A month, or cores where the price is not known.
    pub cost: f64,
}

/// Why there must be a change even if it costs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The autoscaler stands at its maximum while the load is high.
    Pinned,
    /// The autoscaler lets replicas run too near to their request.
    Hot,
    /// p95 latency is above the objective of policy.
    Slow,
}

/// What was found.
pub(super) struct View<'a> {
    pub case: &'a Case<'a>,
    pub fleet: Fleet,
    pub today: Choice,
    pub need: Option<Need>,
    /// The best other way, where there is one that is worth it.
    pub best: Option<Choice>,
    /// p95 latency that busy times have to keep, milliseconds; `None` where it is not measured.
    pub objective: Option<f64>,
    /// Cores that the ceiling lets one replica use.
    pub ceiling: f64,
    /// Share of the time that its replicas were at the autoscaler's maximum and minimum, as measured.
    pub at_max: f64,
    pub at_min: f64,
    /// Bytes that right-sizing asks for today, or policy where the matter is urgent.
    memory: Option<f64>,
    request: f64,
}

impl<'a> View<'a> {
    /// Looks at a service; `None` where it has no CPU request, no replicas or nothing learnt.
    pub fn of(case: &'a Case<'a>) -> Option<Self> {
        let request = case.cpu_request()?;
        let state = case.state();
        let count = match state.autoscaler {
            Some(a) => Count::Scaled { min: a.min, max: a.max, carries: request * f64::from(a.target_cpu_percent) / 100.0 },
            None => Count::Fixed(state.replicas.filter(|n| *n > 0)?),
        };
        let fleet = Fleet::of(case)?;
        let ceiling = state.cpu_limit().map_or(request, |l| l.get().max(request));
        let run = fleet.run(count);
        let today = Choice { count, cpu: request, memory: case.memory_request(), cost: 0.0, state: state.clone(), run };
        let memory = memory_learnt(case);
        let (at_max, at_min) = case.samples.get(&Metric::Replicas).zip(state.autoscaler).map_or((0.0, 0.0), |(n, a)| {
            let share = |is: &dyn Fn(f64) -> bool| n.present().filter(|r| is(*r)).count() as f64 / n.count.max(1) as f64;
            (share(&|r| r >= f64::from(a.max) - 0.01), share(&|r| r <= f64::from(a.min) + 0.01))
        });
        let mut view = Self { case, fleet, today, need: None, best: None, objective: None, ceiling, at_max, at_min, memory, request };
        view.today.cost = view.cost(&view.today.state, view.today.run.mean);
        view.objective = view.objective();
        view.need = view.need();
        if view.need.is_some() {
            // More replicas are the cure: what starved does not tell what it would do with room.
            view.memory = view.memory.and(case.memory.as_ref()).map(|demand| demand.needs.floor());
        }
        view.best = view.best();
        Some(view)
    }

    /// The objective of policy, or what the service has shown in its busy times: latency like that without load is always good enough.
    fn objective(&self) -> Option<f64> {
        let relation = self.fleet.relation.as_ref()?;
        let wanted = self.case.input.policy.latency_objective_ms;
        Some(if wanted > 0.0 { wanted } else { self.today.run.slowest.max(LIKE_QUIET * relation.quiet()) })
    }

    fn need(&self) -> Option<Need> {
        let hot = self.case.cpu_saturation().is_some_and(|s| s > SATURATED) || self.case.memory_saturation().is_some_and(|s| s > SATURATED);
        match self.today.count {
            Count::Scaled { .. } if hot && self.at_max > PINNED => Some(Need::Pinned),
            Count::Scaled { .. } if self.case.is_saturated() => Some(Need::Hot),
            _ => self.objective.filter(|o| self.today.run.slowest > *o).map(|_| Need::Slow),
        }
    }

    /// A month of a state by its requests, over that many replicas.
    pub fn cost(&self, state: &ResourceState, replicas: f64) -> f64 {
        let one = ResourceState { replicas: Some(1), autoscaler: None, volume: None, ..state.clone() };
        replicas * self.case.prices.month(&one).map_or_else(|| state.cpu_request().map_or(0.0, |c| c.get()), Money::units)
    }

    /// The load per replica that is known to be carried. What an autoscaler's replicas have shown beyond what it steers towards came before it had acted: to
    /// steer towards that would show yet more.
    fn known(&self) -> f64 {
        match self.today.count {
            Count::Fixed(_) => self.fleet.shown.max(self.today.run.peak),
            Count::Scaled { .. } => self.today.run.peak,
        }
    }

    /// How far a choice goes into a part of the ceiling that the service has not shown, 0 to 1.
    pub fn beyond(&self, choice: &Choice) -> f64 {
        ((choice.run.peak - self.known()) / self.ceiling).clamp(0.0, 1.0)
    }

    /// Requests, target and price that fit a number of replicas, as far as its days tell without going through every sample.
    fn choice(&self, count: Count) -> Option<Choice> {
        let run = self.fleet.run(count);
        let policy = run.busy * (1.0 + self.case.input.policy.cpu_margin);
        let sure = if self.need.is_some() { policy } else { self.case.right_size_days("cpu", self.fleet.levels(count))? };
        self.sized(count, run, sure.max(policy))
    }

    /// The same with what right-sizing asks for once that many replicas run: larger ones need less room, and the next analysis would find it.
    /// What is urgent is not held up by it.
    fn refined(&self, choice: Choice) -> Option<Choice> {
        if self.need.is_some() {
            return Some(choice);
        }
        let demand = self.case.cpu.as_ref()?;
        let each = self.fleet.each(&demand.samples, self.case, choice.count);
        self.sized(choice.count, choice.run, self.case.right_size("cpu", demand.metric, &each)?)
    }

    fn sized(&self, count: Count, run: Run, learnt: f64) -> Option<Choice> {
        let today = &self.today.run;
        if !learnt.is_finite() {
            return None;
        }
        let near = 1.0 + self.case.input.policy.recommendation_threshold / 100.0;
        let keeps = self.need.is_some();
        let settle = |now: f64, wanted: f64| if wanted <= now && (keeps || now <= wanted * near) { now } else { wanted };
        let carried = if let Count::Scaled { carries, .. } = count { carries / HIGHEST_TARGET } else { 0.0 };
        let cpu = settle(self.request, round_cores(learnt.max(carried)));
        let memory = self.memory(run.peak / today.peak).map(|m| self.today.memory.map_or(m, |now| settle(now, m)));
        // Where the quota does not go as far as the need, more replicas of today's size are the better half of the cure.
        let full = self.case.input.room.is_some_and(|room| room.replicas(cpu, memory.unwrap_or(0.0)) < ceiling(count));
        let cpu = if keeps && full { cpu.min(self.request) } else { cpu };
        let name = &self.case.input.service.key.name;
        let mut state = self.case.state().clone();
        if (cpu - self.request).abs() > 1e-9 {
            state = scale_cpu(&state, name, cpu);
        }
        if let Some(m) = memory.filter(|m| self.today.memory.is_none_or(|now| (m - now).abs() > 1.0)) {
            state = scale_memory(&state, name, m, m);
        }
        match (count, state.autoscaler.as_mut()) {
            (Count::Scaled { min, max, carries }, Some(a)) => {
                (a.min, a.max) = (min, max);
                a.target_cpu_percent = (100.0 * carries / cpu).round().clamp(1.0, 1000.0) as u32;
            }
            (Count::Fixed(n), None) => state.replicas = Some(n),
            _ => return None,
        }
        Some(Choice { cost: self.cost(&state, run.mean), count, state, cpu, memory, run })
    }

    /// Bytes per replica when each carries `ratio` times as much: what does not move with load stays, what does moves with it. Fewer
    /// bytes for less load are not believed.
    fn memory(&self, ratio: f64) -> Option<f64> {
        let learnt = self.memory?;
        let p = self.case.profile(Metric::MemoryWorkingSet)?;
        let peak = p.p05 + (p.peak - p.p05) * ratio.max(1.0);
        Some(round_bytes(learnt * peak / p.peak.max(1.0)))
    }

    /// Whether a choice keeps load, redundancy, memory, the sizes that are known to be allowed, and latency.
    fn allowed(&self, c: &Choice) -> bool {
        let (today, urgent) = (&self.today.run, self.need.is_some());
        let cap = self.known().max(UNSHOWN * self.ceiling);
        let single = floor(c.count) < 2;
        let limit = self.case.state().cpu_limit().map_or(0.0, |l| LARGEST * l.get());
        let largest = self.request.max(limit) * if urgent { 1.0 / HIGHEST_TARGET } else { 1.0 };
        let memory = self.case.memory_limit().into_iter().chain(self.today.memory).fold(0.0, f64::max);
        c.run.peak <= cap * 1.0001
            && floor(c.count) >= floor(self.today.count).min(2)
            && (single || c.run.bereft <= today.bereft.max(BEREFT * self.ceiling) * 1.0001)
            && c.cpu <= largest * 1.0001
            && c.memory.is_none_or(|m| m <= memory.max(1.0))
            && (self.case.input.room.is_some() || urgent || f64::from(ceiling(c.count)) * c.cpu <= self.asked() * 1.0001)
            && self.case.refusal(&c.state).is_none()
            && self.runs_free(c)
            && self.in_time(c)
    }

    /// Cores that are asked for at today's maximum: where the quota is not known, so much is allowed.
    fn asked(&self) -> f64 {
        f64::from(ceiling(self.today.count)) * self.request
    }

    /// Whether throttling stays within half of what policy allows, which leaves the other half to what the autoscaler's waits add; or as
    /// little as it was.
    fn runs_free(&self, c: &Choice) -> bool {
        let (today, most) = (self.today.run.throttled, self.case.input.policy.max_throttled_ratio);
        c.run.throttled <= if today <= most { today.max(most / 2.0) } else { most / 2.0 } * 1.0001
    }

    /// Whether latency keeps the objective, and at every hour of the day is as good as it was or like that of a replica with nothing to
    /// do. Where it rises with load, no load is believed that was not shown. An objective of policy allows more in steps: half
    /// of what would be rolled back, half as much load again, each seen before the next.
    fn in_time(&self, c: &Choice) -> bool {
        let Some(relation) = &self.fleet.relation else { return true };
        let policy = self.case.input.policy;
        let (slower, more) =
            if policy.latency_objective_ms > 0.0 { (1.0 - policy.rollback_threshold / 200.0, 1.5) } else { (1.0001, 1.0001) };
        let good = LIKE_QUIET * relation.quiet();
        let like = c.run.hours.iter().zip(&self.today.run.hours).all(|(then, now)| !(*then > good && *then > slower * *now));
        let shown = !relation.rises() || c.run.peak <= more * self.known();
        like && shown && self.objective.is_none_or(|o| c.run.slowest <= o * 1.0001)
    }

    /// The cheapest of what is worth a closer look.
    fn best(&self) -> Option<Choice> {
        let found = match self.today.count {
            Count::Fixed(now) => self.fewest(now).into_iter().collect(),
            Count::Scaled { min, max, carries } => self.scaled(min, max, carries),
        };
        let closer = found.into_iter().filter(|c| c.count != self.today.count).filter_map(|c| self.refined(c));
        closer.filter(|c| self.allowed(c) && self.pays(c)).min_by(|a, b| a.cost.total_cmp(&b.cost))
    }

    /// Whether a choice beats right-sizing alone by the threshold of policy; what must be needs not pay.
    fn pays(&self, c: &Choice) -> bool {
        if self.need.is_some() {
            return true;
        }
        let worth = self.today.cost * (self.case.input.policy.recommendation_threshold / 100.0).max(1e-6);
        let sized = self.choice(self.today.count).map_or(self.today.cost, |s| s.cost.min(self.today.cost));
        sized - c.cost >= worth
    }

    /// The fewest replicas that are allowed: each more costs what does not move with load once more.
    fn fewest(&self, now: u32) -> Option<Choice> {
        let (mut low, mut high) = (now.min(2), if self.need.is_some() { now.saturating_mul(MOST_GROWTH).min(10_000) } else { now });
        if low >= high {
            return None;
        }
        let at = |n| self.choice(Count::Fixed(n)).filter(|c| self.allowed(c));
        // Where one fewer is too few, so are two fewer.
        if self.need.is_none() && at(high - 1).is_none() {
            return None;
        }
        let mut best = None;
        while low < high {
            let middle = low + (high - low) / 2;
            match at(middle) {
                Some(c) => {
                    best = Some(c);
                    high = middle;
                }
                None => low = middle + 1,
            }
        }
        best.or_else(|| at(high))
    }

    /// The cheapest autoscalers that are allowed, at most [`CLOSER`]. Where one must be, as much as possible stays as it is.
    fn scaled(&self, min: u32, max: u32, carries: f64) -> Vec<Choice> {
        let lowest = min.min(2);
        let mut floors = vec![min, min.midpoint(lowest), lowest];
        floors.dedup();
        let same = self.bounded(min, max, carries);
        if self.need.is_some_and(|n| n != Need::Slow) && same.is_some() {
            return same.into_iter().collect();
        }
        // The loads are anchored at the ceiling, which a proposal leaves as it is: the next analysis tries the same ones.
        let top = self.known().max(UNSHOWN * self.ceiling);
        let loads = std::iter::successors(Some(LEAST_LOAD * self.ceiling), |load| Some(load * STEP))
            .take_while(|load| *load <= top)
            .chain([carries]);
        let tried = loads.flat_map(|load| floors.iter().map(move |floor| (load, *floor)));
        let mut found: Vec<Choice> = tried.filter_map(|(load, floor)| self.bounded(floor, max, load)).collect();
        found.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        found.truncate(if self.need.is_some() { 1 } else { CLOSER });
        found
    }

    /// An autoscaler with a maximum that is no bound, if that is allowed.
    fn bounded(&self, min: u32, max: u32, carries: f64) -> Option<Choice> {
        let free = self.fleet.run(Count::Scaled { min, max: 10_000, carries });
        let needed = (free.most * ROOM).ceil().clamp(f64::from(min), 10_000.0) as u32;
        let pinned = self.need == Some(Need::Pinned);
        let wanted = if pinned { needed.max(max.saturating_add(1)) } else { max };
        let mut choice = self.choice(Count::Scaled { min, max: wanted, carries })?;
        let most = match self.case.input.room {
            Some(room) => room.replicas(choice.cpu, choice.memory.unwrap_or(0.0)).max(max),
            None if self.need.is_none() => (self.asked() / choice.cpu).floor() as u32,
            None => u32::MAX,
        };
        if most < wanted {
            choice = self.choice(Count::Scaled { min, max: most.max(min), carries })?;
        }
        let hot = choice.run.at_max > PINNED && choice.run.busy > NEARLY * SATURATED * choice.cpu;
        let bound = hot || choice.run.at_max > self.today.run.at_max + PINNED;
        let more = most < wanted && pinned && ceiling(choice.count) > max;
        ((more || !bound) && self.allowed(&choice)).then_some(choice)
    }
}

/// Fewest replicas there ever are.
pub(super) fn floor(count: Count) -> u32 {
    match count {
        Count::Fixed(n) | Count::Scaled { min: n, .. } => n,
    }
}

/// Most replicas there ever are.
pub(super) fn ceiling(count: Count) -> u32 {
    match count {
        Count::Fixed(n) | Count::Scaled { max: n, .. } => n,
    }
}

/// Bytes that right-sizing would ask for; `None` where memory is not measured in bytes.
fn memory_learnt(case: &Case) -> Option<f64> {
    case.memory.as_ref().filter(|d| d.metric == Metric::MemoryWorkingSet)?.value
}
