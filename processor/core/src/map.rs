//! Hash maps with a fixed seed: the same on every machine and run.

/// A hash map whose iteration order depends on its history only.
#[expect(clippy::disallowed_types, reason = "this is the replacement: a fixed seed")]
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;

/// A hash set whose iteration order depends on its history only.
#[expect(clippy::disallowed_types, reason = "this is the replacement: a fixed seed")]
pub type Set<K> = std::collections::HashSet<K, foldhash::fast::FixedState>;
