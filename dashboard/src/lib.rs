//! The dashboard: the pages that a browser shows. It does not know what the numbers are: pages ask the API for them.

pub mod assets;
