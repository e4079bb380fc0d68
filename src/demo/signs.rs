//! Which vital signs the demo shows: those of a list that the catalog has, month by month, one line a currency.
//!
//! It knows names of metrics and nothing of what they mean; title, unit and currency are the store's.

use std::ops::ControlFlow;

use store::{Ask, MetricInfo, Read, Row};

/// What one wants to see of a company, the most telling first.
const WANTED: [&str; 17] = [
    "customers",
    "customer_churn_rate",
    "net_revenue",
    "net_new_mrr",
    "net_revenue_retention",
    "nps",
    "csat",
    "ces",
    "engagement_rate",
    "orders",
    "avg_purchase_value",
    "net_new_revenue",
    "pipeline_value",
    "win_rate",
    "lead_conversion_rate",
    "response_time",
    "first_contact_resolution",
];
const WINDOW: &str = "1mo";
/// More lines would not fit on a screen.
const LINES_MAX: usize = 20;

/// One line: a metric in one currency, or without one.
pub(super) struct Sign {
    /// Title of the metric.
    pub(super) title: String,
    /// Its months, the last one last.
    pub(super) rows: Vec<Row>,
}

/// The signs, with at most `months` months of each from the date `from` on.
pub(super) fn read(read: &dyn Read, from: &str, months: usize) -> store::Result<Vec<Sign>> {
    let mut signs = Vec::new();
    for metric in shown(&read.catalog()?) {
        for mut rows in series(read, metric, from)? {
            rows.drain(..rows.len().saturating_sub(months));
            signs.push(Sign { title: metric.title.clone(), rows });
        }
    }
    signs.truncate(LINES_MAX);
    Ok(signs)
}

/// What is wanted and there, in the order in which it is wanted.
fn shown(catalog: &[MetricInfo]) -> Vec<&MetricInfo> {
    let whole = |metric: &&MetricInfo| {
        !metric.per_account
            && metric.windows.iter().any(|kind| kind.to_string() == WINDOW)
            && metric.by.iter().any(Vec::is_empty)
    };
    WANTED.iter().filter_map(|name| catalog.iter().find(|metric| metric.name == *name).filter(whole)).collect()
}

/// The rows of a metric, by currency.
fn series(read: &dyn Read, metric: &MetricInfo, from: &str) -> store::Result<Vec<Vec<Row>>> {
    let ask = Ask {
        tenant: ingest::event::TENANT.to_owned(),
        metric: metric.name.clone(),
        window: Some(WINDOW.to_owned()),
        from: Some(from.to_owned()),
        ..Ask::default()
    };
    let mut series: Vec<Vec<Row>> = Vec::new();
    store::ask(read, &ask, &mut |row| {
        match series.last_mut().filter(|rows| rows.last().is_some_and(|last| last.series == row.series)) {
            Some(rows) => rows.push(row),
            None => series.push(vec![row]),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(series)
}

#[cfg(test)]
mod tests {
    use processor_core::{plan::Plan, settings::Settings};

    use super::*;
    use crate::describe;

    #[test]
    fn signs_of_the_catalog_are_shown_and_others_left_out() {
        let plan = Plan::built_in(&Settings::default()).unwrap();
        let mut catalog = describe::catalog(&plan);
        let names =
            |catalog: &[MetricInfo]| shown(catalog).iter().map(|metric| metric.name.clone()).collect::<Vec<_>>();
        let found = names(&catalog);
        let expected: Vec<&str> =
            WANTED.into_iter().filter(|name| plan.metrics.iter().any(|metric| metric.name == *name)).collect();
        assert_eq!(found, expected);
        assert!(found.len() >= 6 && found[0] == "customers", "{found:?}");

        catalog.retain(|metric| metric.name != "customers");
        assert_eq!(names(&catalog), expected[1..]);
        catalog.iter_mut().for_each(|metric| metric.by.retain(|by| !by.is_empty()));
        assert_eq!(names(&catalog), [""; 0]);
    }
}
