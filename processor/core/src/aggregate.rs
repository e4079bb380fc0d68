//! Aggregates: what facts add to the columns of slices. One file a kind of measure.

pub mod cohort;
pub mod fact;
pub mod group;
pub mod quantile;
pub mod retention;
