//! The one binary.
mod events;
mod import;

fn main() {}
