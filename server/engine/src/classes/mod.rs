//! Classes of services that behave alike, found in the fleet itself, so that a service is compared with its like and not with the mean
//! of everything.
//!
//! What a service is like ([`Traits`]) is put on one scale (median and quartiles of the fleet, cut at three), grouped by k-means (k-means++, Lloyd; the
//! `linfa-clustering` crate) and the number of groups is the one with the best silhouette (Rousseeuw, "Silhouettes", J. Comput. Appl.
//! Math. 20, 1987). A group is called in words by what its centre is like. The same fleet and seed give the same classes.

mod names;
mod peers;
mod traits;

pub use peers::{Like, Peer, Rank, Standing};
pub use traits::{TRAITS, Traits};

use crate::features::Features;
use crate::stats;
use linfa::DatasetBase;
use linfa::metrics::SilhouetteScore;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::Serialize;

/// Most classes: more than that nobody keeps apart.
const MOST: usize = 6;
/// Fewest services that are grouped at all.
pub const FEWEST: usize = 8;
/// A grouping with a worse silhouette than this is none: all services are one class. Rousseeuw calls less than 0.25 "no substantial structure".
const STRUCTURE: f64 = 0.25;
/// Services whose silhouettes are looked at: it compares each with each.
const SAMPLE: usize = 600;
/// Scaled values are cut here, so that one odd service is no class.
const CUT: f64 = 3.0;

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// In words: "steady", "daily rhythm", "bursty"…; unique among the classes of a fleet.
    pub name: String,
    /// The median of its members, trait by trait.
    pub centre: Traits,
    /// How many services are in it.
    pub members: usize,
    /// Median distance of its members from the centre of the group, on the common scale.
    pub radius: f64,
    /// The centre of the group on the common scale.
    #[serde(skip)]
    point: [f64; TRAITS],
}

/// Where a service belongs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Membership {
    /// Index into [`Classes::classes`].
    pub class: usize,
    /// Distance from the centre of its class on the common scale.
    pub distance: f64,
    /// How well it fits, 0 (as near to another class) to 1 (at the centre): 1 − distance / distance from the next class. 1 with one class.
    pub fit: f64,
}

/// The classes of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classes {
    /// Largest first.
    pub classes: Vec<Class>,
    /// Mean silhouette of the grouping, −1 to 1; 0 where the fleet is one class.
    pub silhouette: f64,
    /// Per service that was given, in its order; `None` where nothing is measured of it.
    pub members: Vec<Option<Membership>>,
    /// Per trait: the fleet's median and spread.
    #[serde(skip)]
    scale: [(f64, f64); TRAITS],
}

/// Why a fleet has no classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} services with measurements make no classes: it takes {FEWEST}")]
pub struct TooFew(pub usize);

/// Finds the classes of a fleet. `seed` decides where k-means starts.
///
/// # Errors
/// [`TooFew`] with fewer than [`FEWEST`] services that have samples of CPU.
pub fn fit(fleet: &[Features], seed: u64) -> Result<Classes, TooFew> {
    of_traits(fleet.iter().map(Traits::of).collect(), seed)
}

/// The same from what is left of the features when a large fleet is analysed piece by piece; `None` where nothing is measured.
///
/// # Errors
/// [`TooFew`] with fewer than [`FEWEST`] services that have samples of CPU.
pub fn of_traits(traits: Vec<Option<Traits>>, seed: u64) -> Result<Classes, TooFew> {
    let known: Vec<Traits> = traits.iter().flatten().copied().collect();
    if known.len() < FEWEST {
        return Err(TooFew(known.len()));
    }
    let scale = scales(&known);
    let points: Vec<[f64; TRAITS]> = known.iter().map(|t| scaled(t, &scale)).collect();
    let (labels, silhouette) = grouped(&points, seed);
    let classes = described(&known, &points, &labels);
    let mut found = Classes { classes, silhouette, members: Vec::new(), scale };
    found.members = traits.iter().map(|t| t.as_ref().map(|t| found.nearest(t))).collect();
    Ok(found)
}

impl Classes {
    /// The class of a service that need not be of the fleet; `None` where nothing is measured of it.
    #[must_use]
    pub fn assign(&self, features: &Features) -> Option<Membership> {
        Traits::of(features).map(|t| self.nearest(&t))
    }

    fn nearest(&self, traits: &Traits) -> Membership {
        let point = scaled(traits, &self.scale);
        let mut distances: Vec<(usize, f64)> = self.classes.iter().map(|c| apart(&c.point, &point)).enumerate().collect();
        distances.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (class, distance) = distances[0];
        let fit = distances.get(1).map_or(1.0, |next| if next.1 > 0.0 { 1.0 - distance / next.1 } else { 0.0 });
        Membership { class, distance, fit }
    }
}

fn scales(known: &[Traits]) -> [(f64, f64); TRAITS] {
    std::array::from_fn(|k| {
        let mut values: Vec<f64> = known.iter().filter_map(|t| t.values()[k]).collect();
        let (low, high) = (stats::quantile(&mut values, 0.25), stats::quantile(&mut values, 0.75));
        let spread = high.zip(low).map_or(0.0, |(h, l)| (h - l) / 1.349);
        (stats::median(&mut values).unwrap_or(0.0), spread.max(Traits::least_spread(k)))
    })
}

/// On the common scale; what is not measured is as the fleet is.
fn scaled(traits: &Traits, scale: &[(f64, f64); TRAITS]) -> [f64; TRAITS] {
    let values = traits.values();
    std::array::from_fn(|k| {
        let z = values[k].map_or(0.0, |v| (v - scale[k].0) / scale[k].1);
        z.clamp(-CUT, CUT) * Traits::weight(k)
    })
}

fn apart(a: &[f64; TRAITS], b: &[f64; TRAITS]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

fn table(points: &[[f64; TRAITS]]) -> Array2<f64> {
    Array2::from_shape_fn((points.len(), TRAITS), |(i, k)| points[i][k])
}

/// The best grouping: a label per point, and its silhouette.
fn grouped(points: &[[f64; TRAITS]], seed: u64) -> (Vec<usize>, f64) {
    let data = DatasetBase::from(table(points));
    let stride = points.len().div_ceil(SAMPLE);
    let sample: Vec<[f64; TRAITS]> = points.iter().step_by(stride).copied().collect();
    let mut best = (vec![0; points.len()], 0.0);
    for k in 2..=MOST.min(points.len() / 3) {
        let rng = Xoshiro256Plus::seed_from_u64(seed);
        let Ok(model) = KMeans::params_with_rng(k, rng).n_runs(4).max_n_iterations(100).tolerance(1e-4).fit(&data) else { continue };
        let labels: Vec<usize> = model.predict(data.records()).to_vec();
        let of_sample = model.predict(&table(&sample));
        let Ok(silhouette) = DatasetBase::new(table(&sample), of_sample).silhouette_score() else { continue };
        // Equal points end up under one label, whose silhouette says nothing.
        let several = labels.iter().any(|l| *l != labels[0]);
        if several && silhouette >= STRUCTURE && silhouette > best.1 {
            best = (labels, silhouette);
        }
    }
    best
}

/// The classes of a grouping, largest first, named.
fn described(known: &[Traits], points: &[[f64; TRAITS]], labels: &[usize]) -> Vec<Class> {
    let count = labels.iter().max().map_or(1, |m| m + 1);
    let mut classes: Vec<Class> = (0..count)
        .filter_map(|label| {
            let of: Vec<usize> = (0..labels.len()).filter(|i| labels[*i] == label).collect();
            if of.is_empty() {
                return None;
            }
            let point = std::array::from_fn(|k| of.iter().map(|i| points[*i][k]).sum::<f64>() / of.len() as f64);
            let mut distances: Vec<f64> = of.iter().map(|i| apart(&points[*i], &point)).collect();
            let radius = stats::median(&mut distances).unwrap_or(0.0);
            let centre = Traits::median(of.iter().map(|i| &known[*i]));
            Some(Class { name: String::new(), centre, members: of.len(), radius, point })
        })
        .collect();
    classes.sort_by_key(|c| std::cmp::Reverse(c.members));
    names::give(&mut classes);
    classes
}

#[cfg(test)]
mod tests;
