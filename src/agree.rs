//! Whether a store was computed with the configuration that a reader names: where they differ, the store is shown, and
//! the difference is said.

use store::{Read as _, sqlite};

use crate::{Usage, config::Config, describe};

/// Warns if the settings or metrics of the store are not those of the configuration.
///
/// # Errors
/// When the catalog of the configuration is wrong, or the store cannot be read.
pub(crate) fn check(read: &sqlite::Reader, config: &Config) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let (wanted, stored) = (describe::settings(&plan), read.settings()?);
    let names =
        |catalog: Vec<store::MetricInfo>| catalog.into_iter().map(|metric| metric.definition).collect::<Vec<_>>();
    let mut differs = Vec::new();
    if wanted.time_zone != stored.time_zone {
        differs.push(format!("time_zone is {} here, {} in the store", wanted.time_zone, stored.time_zone));
    }
    if (store::Settings { time_zone: stored.time_zone.clone(), ..wanted }) != stored {
        differs.push("other settings differ".to_owned());
    }
    if names(describe::catalog(&plan)) != names(read.catalog()?) {
        differs.push("the metrics differ".to_owned());
    }
    if !differs.is_empty() {
        tracing::warn!(
            "shown as computed with another configuration: {}; the next import, ingest or rebuild with this one \
             computes it again",
            differs.join(", ")
        );
    }
    Ok(())
}
