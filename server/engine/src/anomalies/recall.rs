//! What the past says about now: the same hour of earlier days, and the most similar stretches.

const DAY: i64 = 86_400;
/// Days that are looked back, and how far from the same time of day a sample may lie, seconds.
const DAYS: i64 = 14;
const AROUND: i64 = 3600;
/// Fewest days with samples around the same time.
const FEWEST_DAYS: usize = 2;
/// Samples in a stretch; how many samples are searched; which of the nearest counts; fewest samples.
const STRETCH: usize = 16;
const SEARCHED: usize = 4000;
const NEAREST: usize = 3;
const FEWEST: usize = 100;

/// How far the newest value is from the closest one within an hour of the same time on up to 14 earlier days.
///
/// `times` ascend, seconds; `values` beside them. `None` until two earlier days are known. The closest and not the mean,
/// because days differ: what happened on one of them is no surprise.
pub(super) fn same_hour(times: &[i64], values: &[f64]) -> Option<f64> {
    let (now, value) = (*times.last()?, *values.last()?);
    let (mut closest, mut days) = (f64::INFINITY, 0);
    for day in 1..=DAYS {
        let from = now.saturating_sub(day * DAY + AROUND);
        if from < times[0] {
            break;
        }
        let a = times.partition_point(|t| *t < from);
        let b = times.partition_point(|t| *t <= from + 2 * AROUND);
        days += usize::from(b > a);
        closest = values[a..b].iter().fold(closest, |c, v| c.min((v - value).abs()));
    }
    (days >= FEWEST_DAYS).then_some(closest)
}

/// The root mean square distance of the newest 16 values from the third most similar stretch of the past 4,000 samples.
///
/// The nonconformity of KNN-CAD (Burnaev and Ishimtsev 2016, arXiv:1608.04585) in plain Euclidean distance. `None` with
/// 100 samples or fewer.
pub(super) fn nearest_shape(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n <= FEWEST {
        return None;
    }
    let now = &values[n - STRETCH..];
    let past = &values[n.saturating_sub(SEARCHED)..n - STRETCH];
    let mut nearest = [f64::INFINITY; NEAREST];
    for stretch in past.windows(STRETCH).rev() {
        let distance = within(now, stretch, nearest[NEAREST - 1]);
        if distance < nearest[NEAREST - 1] {
            nearest[NEAREST - 1] = distance;
            nearest.sort_by(f64::total_cmp);
        }
    }
    Some((nearest[NEAREST - 1] / STRETCH as f64).sqrt())
}

/// The squared distance of two stretches, given up as soon as it passes `limit`.
fn within(a: &[f64], b: &[f64], limit: f64) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        sum += a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
        if sum > limit {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_hour_of_the_closest_day_counts() {
        let times: Vec<i64> = (0..=96).map(|i| i * 3600).collect();
        let mut values: Vec<f64> = times.iter().map(|t| (t / 3600 % 24) as f64).collect();
        values[96] = 5.0;
        assert_eq!(same_hour(&times, &values), Some(4.0), "0 o'clock ± 1 h was 23, 0 or 1");
        assert_eq!(same_hour(&times[..40], &values[..40]), None);
        assert_eq!(same_hour(&[], &[]), None);
    }

    #[test]
    fn a_shape_seen_three_times_is_known() {
        let known: Vec<f64> = (0..200).map(|i| f64::from(i % 20)).collect();
        assert_eq!(nearest_shape(&known), Some(0.0));
        let mut odd = known.clone();
        odd[199] = 59.0;
        assert_eq!(nearest_shape(&odd), Some((40.0_f64.powi(2) / 16.0).sqrt()));
        assert_eq!(nearest_shape(&known[..100]), None);
    }
}
