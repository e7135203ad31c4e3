//! Which deploy or change a change-point is due to.

/// Something that was done to a system.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// When, seconds since 1970.
    pub time: i64,
    /// What: a deploy's version, a change's identifier.
    pub name: String,
}

/// The event a change is attributed to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Attribution {
    /// The event.
    pub event: Event,
    /// Seconds from it to the first sample of the new regime; negative when it came later.
    pub seconds: i64,
    /// It is the only one between the last sample before the change and the first after.
    pub alone_between: bool,
}

/// The event nearest in time to a change, of those within `reach` seconds of it.
///
/// `last_before` and `first_after`: times of the samples the change lies between, seconds since 1970. An event between them comes
/// before any other; then the nearest, of two as near the earlier, since causes come first. `None` without any in reach.
#[must_use]
pub fn attribute(last_before: i64, first_after: i64, events: &[Event], reach: i64) -> Option<Attribution> {
    let between = |e: &Event| last_before < e.time && e.time <= first_after;
    let distance = |e: &Event| if between(e) { 0 } else { e.time.abs_diff(first_after).min(e.time.abs_diff(last_before)) };
    let reachable = events.iter().filter(|e| i64::try_from(distance(e)).is_ok_and(|d| d <= reach));
    let event = reachable.min_by_key(|e| (distance(e), e.time.abs_diff(first_after), e.time))?;
    let alone_between = between(event) && events.iter().filter(|e| between(e)).count() == 1;
    Some(Attribution { event: event.clone(), seconds: first_after.saturating_sub(event.time), alone_between })
}
