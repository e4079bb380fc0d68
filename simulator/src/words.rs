//! Names and prices of the company: what it sells, to whom, and who works there.

/// Price in minor units a seat and month, by plan, from the smallest.
pub(crate) const PLANS: [(&str, i64); 3] = [("starter", 1_900), ("team", 3_900), ("business", 7_900)];
pub(crate) const SEGMENTS: [(&str, i64); 3] = [("small", 60), ("midsize", 30), ("enterprise", 10)];
pub(crate) const INDUSTRIES: [(&str, i64); 5] =
    [("retail", 30), ("software", 25), ("logistics", 15), ("health", 15), ("public", 15)];
/// Who looks after accounts, deals and leads.
pub(crate) const OWNERS: [&str; 8] = ["amara", "bruno", "chen", "dalia", "elif", "farid", "greta", "hugo"];
pub(crate) const AGENTS: [&str; 4] = ["iris", "jonas", "kofi", "lena"];
pub(crate) const SOURCES: [(&str, i64); 5] =
    [("search", 30), ("referral", 20), ("newsletter", 20), ("fair", 10), ("partner", 20)];
pub(crate) const CHANNELS: [(&str, i64); 3] = [("web", 60), ("app", 30), ("phone", 10)];
pub(crate) const FEATURES: [(&str, i64); 4] = [("report", 45), ("import", 20), ("export", 15), ("share", 20)];
/// Price in minor units by product.
pub(crate) const PRODUCTS: [(&str, i64); 6] = [
    ("sensor", 8_900),
    ("gateway", 39_900),
    ("cable", 690),
    ("bracket", 1_490),
    ("training", 49_500),
    ("battery", 2_400),
];
pub(crate) const TOPICS: [(&str, i64); 5] =
    [("billing", 20), ("import", 25), ("outage", 15), ("hardware", 25), ("question", 15)];
pub(crate) const TICKET_CHANNELS: [(&str, i64); 3] = [("email", 55), ("chat", 30), ("phone", 15)];
pub(crate) const ROLES: [&str; 4] = ["admin", "buyer", "user", "manager"];
