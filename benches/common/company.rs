//! The simulated company as records of the log, and catalogs of other sizes than the built-in one.

use std::sync::Arc;

use ingest::{event, near::UnknownTypes};
use jiff::civil::date;
use processor_core::{
    calendar::{DAY, Time},
    catalog::{BUILT_IN, Catalog, Metric, Per},
    plan::Plan,
    settings::Settings,
};
use proto::{Message, v1};
use simulator::{Company, LINKED, Shares};

/// Two years of the company's own mix, in the order of arrival: when each record was accepted, and the record. `in_order`
/// is without those that come late, twice, wrong and retracted.
pub(crate) fn records(accounts: u32, in_order: bool) -> Vec<(Time, Vec<u8>)> {
    let orderly = Shares { late: 0, duplicates: 0, repairs: 0, shuffle_days: 0 };
    let shares = if in_order { orderly } else { Shares::default() };
    let settings = simulator::Settings { seed: 7, accounts, linked: LINKED, from: date(2024, 1, 1), shares };
    let mut company = Company::new(settings).unwrap();
    let context = event::Context {
        now_us: i64::MAX / 2,
        until_us: i64::MAX / 2,
        floor_us: 0,
        source: "import".to_owned(),
        tenant: String::new(),
        unknown_types: UnknownTypes::default(),
    };
    let end = company.start_us() + 731 * DAY;
    let mut records = Vec::new();
    for day in 1..=731 {
        for (arrival, line) in company.arrivals((company.start_us() + day * DAY).min(end)).unwrap() {
            let event = event::parse(line.as_bytes(), &context).unwrap();
            let event = v1::Event { recorded_at_us: arrival.max(event.time_us), ..event };
            let entry = v1::Entry { entry: Some(v1::entry::Entry::Event(event)) };
            records.push((arrival, entry.encode_to_vec()));
        }
    }
    records
}

/// Plans of so many metrics: the built-in catalog up to there, then copies of its metrics for the accounts of the plan
/// `pro` alone, in windows of seven days.
pub(crate) fn plans(sizes: &[usize]) -> Vec<(usize, Arc<Plan>)> {
    let all = Catalog::parse(BUILT_IN).unwrap().metrics.len();
    let of = |size: &usize| {
        let mut catalog = Catalog::parse(BUILT_IN).unwrap();
        if *size == 1 {
            catalog.metrics.retain(|metric| metric.name.value == "orders");
        }
        catalog.metrics.truncate(*size);
        let more = Catalog::parse(BUILT_IN).unwrap().metrics.into_iter().filter_map(copy);
        let left = size.saturating_sub(catalog.metrics.len());
        catalog.metrics.extend(more.take(left));
        assert_eq!(catalog.metrics.len(), *size, "{all} metrics have too few copies");
        (*size, Arc::new(Plan::lower(&catalog, &Settings::default()).unwrap()))
    };
    sizes.iter().map(of).collect()
}

/// The same of the accounts of a plan; `None` for what is not of all accounts together.
fn copy(mut metric: Metric) -> Option<Metric> {
    let of_accounts = |measure: &processor_core::catalog::Measure| measure.without.is_none();
    let plain = metric.per == Per::Tenant && metric.goal.is_none() && metric.measures.values().all(of_accounts);
    if !plain || metric.by.iter().flatten().any(|dim| dim.value == "band") {
        return None;
    }
    let text = |value: String| {
        let mut text = metric.name.clone();
        text.value = value;
        text
    };
    for measure in metric.measures.values_mut() {
        let own = measure.filter.as_ref().map(|own| format!("({}) && ", own.value)).unwrap_or_default();
        measure.filter = Some(text(format!("{own}traits.plan == \"pro\"")));
    }
    metric.windows = vec![text("trailing 7d".to_owned())];
    metric.name.value.push_str("_pro");
    Some(metric)
}
