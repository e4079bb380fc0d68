//! Lifecycles: what an account's events mean. One file each; pure functions of the journal.

pub mod customer;
pub mod journal;
pub mod order;
