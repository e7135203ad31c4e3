//! The simulated cluster.
pub mod archetypes;
pub mod builder;
pub mod catalogue;
pub mod cluster;
pub mod demand;
pub mod noise;
pub mod physics;
pub mod profile;
pub mod queueing;
pub mod replicas;
pub mod trace;
pub mod world;
