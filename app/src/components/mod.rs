//! The parts that pages are made of.

pub mod bar;
pub mod chart;
pub mod diff;
pub mod fields;
pub mod figure;
pub mod icon;
pub mod keys;
pub mod layout;
pub mod notice;
pub mod palette;
pub mod panel;
pub mod scatter;
pub mod spark;
pub mod stages;
pub mod status;
pub mod table;
pub mod theme;
pub mod timeline;
