//! The plan as the store describes it to readers.

use processor_core::{
    catalog::{self, Per},
    plan::{Column, Loss, Metric, Plan, Read},
    score,
};
use store::{
    Direction, Fill, MetricInfo,
    account::{Band, Component, Roles},
};

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
            by: metric.sets(),
            per_account: metric.per == Per::Account,
            fill: match metric.fill() {
                "carry" => Fill::Carry,
                "null" => Fill::Null,
                _ => Fill::Zero,
            },
            fill_reason: match metric.fill() {
                _ if metric.score => score::NOT_A_CUSTOMER.to_owned(),
                "null" => "no denominator".to_owned(),
                _ => String::new(),
            },
            maturity_us: metric.maturity,
            additive: additive(plan, metric),
            group: metric.people.group.map(|group| group.to_string()).unwrap_or_default(),
            direction: metric.people.direction.map(|direction| match direction {
                catalog::Direction::Up => Direction::Up,
                catalog::Direction::Down => Direction::Down,
            }),
        })
        .collect()
}

/// Whether it adds, over measures that count or sum what happened in a window.
fn additive(plan: &Plan, metric: &Metric) -> bool {
    let sums = |read: Read, column: &Column| {
        read == Read::Window && matches!(column, Column::Fact { .. } | Column::Lost { what: Loss::ByStart, .. })
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
        keep_us: plan.settings.keep,
        dimension_values_max: plan.settings.dimension_values_max as u64,
        roles: roles(plan),
    }
}

/// What a list of accounts is made of: the score, and the built-in metrics of these names.
fn roles(plan: &Plan) -> Roles {
    let named = |name: &str| {
        let found = plan.metrics.iter().find(|metric| metric.name == name && metric.per == Per::Account);
        found.map(|metric| metric.name.clone())
    };
    let score = plan.score.as_ref();
    let components = score.into_iter().flat_map(|score| &score.components);
    let bands = score.into_iter().flat_map(|score| &score.bands);
    Roles {
        score: score.map(|score| plan.metrics[score.metric].name.clone()),
        value: named("account_value"),
        mrr: named("account_net_new_mrr"),
        components: components.map(|of| Component { name: of.name.clone(), weight: of.weight }).collect(),
        bands: bands.map(|of| Band { name: of.name.clone(), from: of.from }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use processor_core::{catalog::Catalog, settings::Settings};

    use super::*;

    fn adding(plan: &Plan) -> Vec<String> {
        catalog(plan).into_iter().filter(|metric| metric.additive).map(|metric| metric.name).collect()
    }

    #[test]
    fn sums_and_counts_add_up_levels_ratios_and_distinct_counts_do_not() {
        let plan = Plan::built_in(&Settings::default()).unwrap();
        let movements = ["new_mrr", "expansion_mrr", "reactivation_mrr", "contraction_mrr", "churn_mrr", "net_new_mrr"];
        let counts = ["events", "orders", "net_revenue", "net_new_revenue", "customers_started", "customers_lost"];
        assert_eq!(adding(&plan), [counts, movements].concat());
    }

    #[test]
    fn multiples_add_up_constants_and_products_do_not() {
        let metric = |name: &str, measure: &str, value: &str| {
            format!(
                "  - name: {name}\n    title: T\n    description: D\n    unit: count\n    windows: [1d]\n    \
                 measures:\n      a: {measure}\n    value: {value}\n"
            )
        };
        let metrics = [
            metric("doubled", "{count: order}", "2 * a - a"),
            metric("negated", "{count: order}", "-a"),
            metric("one_more", "{count: order}", "a + 1"),
            metric("squared", "{count: order}", "a * a"),
            metric("active", "{distinct: meaningful}", "a"),
            metric("base", "{level: customer}", "a"),
        ];
        let text = format!("meaningful: [order]\nmetrics:\n{}", metrics.concat());
        let plan = Plan::lower(&Catalog::parse(&text).unwrap(), &Settings::default()).unwrap();
        assert_eq!(adding(&plan), ["doubled", "negated"]);
    }
}
