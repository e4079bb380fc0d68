//! The plan as the store describes it to readers.

use processor_core::{
    catalog::Per,
    plan::{Column, Metric, Plan, Read},
};
use store::{Fill, MetricInfo};

/// Every metric of the plan.
pub(crate) fn catalog(plan: &Plan) -> Vec<MetricInfo> {
    plan.metrics
        .iter()
        .map(|metric| MetricInfo {
            name: metric.name.clone(),
            definition: metric.definition.clone(),
            title: metric.title.clone(),
            description: metric.description.clone(),
            unit: metric.unit.clone(),
            windows: metric.kinds.iter().filter_map(|kind| kind.to_string().parse().ok()).collect(),
            by: metric.views.iter().map(|view| view.by.clone()).collect(),
            per_account: metric.per == Per::Account,
            fill: match metric.fill() {
                "carry" => Fill::Carry,
                "null" => Fill::Null,
                _ => Fill::Zero,
            },
            fill_reason: if metric.fill() == "null" { "no denominator".to_owned() } else { String::new() },
            maturity_us: 0,
            additive: additive(plan, metric),
        })
        .collect()
}

/// Whether it adds, over measures that count or sum what happened in a window.
fn additive(plan: &Plan, metric: &Metric) -> bool {
    let sums = |read: Read, column: &Column| {
        read == Read::Window && matches!(column, Column::Fact { .. } | Column::LostByStart)
    };
    let readings = || metric.views.iter().flat_map(|view| view.readings.iter().flatten());
    metric.per != Per::Account
        && metric.value.as_ref().is_some_and(|value| value.adds())
        && readings().all(|reading| sums(reading.read, &plan.bundles[reading.bundle].columns[reading.column]))
}

/// The settings that readers need.
pub(crate) fn settings(plan: &Plan) -> store::Settings {
    store::Settings {
        time_zone: plan.settings.time_zone.clone(),
        week_start: plan.settings.week_start,
        fiscal_year_start: plan.settings.fiscal_year_start,
        allowed_lateness_us: plan.settings.allowed_lateness,
    }
}
