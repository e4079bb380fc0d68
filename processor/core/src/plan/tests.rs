//! Catalogs that are refused, and where; what a definition depends on.

use super::*;
use crate::rational::Rational;

fn problem(text: &str) -> String {
    let parsed = Catalog::parse(text).and_then(|catalog| Plan::lower(&catalog, &Settings::default()).map(|_| ()));
    parsed.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
}

fn metric(body: &str) -> String {
    format!(
        "meaningful: [order]\nmetrics:\n  - name: m\n    title: M\n    description: D\n    unit: count\n    windows: [1d]\n{body}"
    )
}

#[test]
fn the_built_in_catalog_shares_columns() {
    let plan = Plan::built_in(&Settings::default()).unwrap();
    for bundle in &plan.bundles {
        let is_it = |other: &&Bundle| other.hash == bundle.hash;
        assert_eq!(plan.bundles.iter().filter(is_it).count(), 1, "two bundles of the same columns");
    }
    // All sums and counts by region, whatever the metric, have four bundles: with money, without, by bucket, and by opening.
    let region = plan.traits.iter().position(|name| name == "region").map(Dim::Trait).unwrap();
    let by_region = |bundle: &&Bundle| bundle.dims == [region.clone()] && bundle.slicing == Slicing::Hours;
    assert_eq!(plan.bundles.iter().filter(by_region).count(), 4);
    let fill = |name: &str| plan.metrics.iter().find(|metric| metric.name == name).unwrap().fill();
    assert_eq!([fill("orders"), fill("customers"), fill("customer_churn_rate")], ["zero", "carry", "null"]);
}

#[test]
fn errors_name_line_and_column() {
    for (body, expected) in [
        (
            "    measures: {a: {count: order}}\n    value: a + b\n",
            "9:16: there is no measure `b`; there are a, the setting margin, and now, the end of the window or the clock",
        ),
        (
            "    measures: {a: {count: ordr}}\n    value: a\n",
            "8:27: there is no fact `ordr`; use order, refund, customer_started, customer_lost,",
        ),
        (
            "    measures: {a: {sum: order, of: currency}}\n    value: a\n",
            "8:36: `currency` is not a number that can be summed",
        ),
        (
            "    measures: {a: {count: order, where: net > currency}}\n    value: a\n",
            "8:45: the left side is money, the right side text",
        ),
        (
            "    by: [[channel]]\n    measures: {a: {level: customer}}\n    value: a\n",
            "8:11: a measure of accounts has their traits as dimensions, and no channel; a custom trait is `traits.custom.NAME`",
        ),
        ("    measures: {a: {count: order}}\n", "3:11: the metric needs a `value`, an expression over its measures"),
        ("    measure: {a: {count: order}}\n", "8:5: unknown field"),
        (
            "    by: []\n    measures: {a: {count: order}}\n    value: a\n",
            "3:11: the metric needs a set of dimensions; the total is `by: [[]]`",
        ),
        (
            "    by: [[plan, plan]]\n    measures: {a: {count: order}}\n    value: a\n",
            "8:17: `plan` is there twice; leave one out",
        ),
        (
            "    maturity: 7 days\n    measures: {a: {count: order}}\n    value: a\n",
            "8:15: `7 days` is no maturity; give days or hours, such as 7d or 24h",
        ),
    ] {
        let found = problem(&metric(body));
        assert!(found.starts_with(expected), "expected {expected}\n   found {found}");
    }
    let windows = |list| {
        let body = metric("    measures: {a: {count: order}}\n    value: a\n");
        problem(&body.replace("windows: [1d]", list))
    };
    assert_eq!(windows("windows: []"), "3:11: the metric needs a window; give `windows`, such as [1d, 1mo]");
    assert_eq!(windows("windows: [1d, 1h, 1d]"), "7:23: `1d` is there twice; leave one out");
    assert!(problem("meaningful: [order]\nmetrics: [").contains(':'));
}

/// Fails unless the metric is refused at the place marked `^`, with this message.
#[track_caller]
fn refused(marked: &str, message: &str) {
    let line = 8 + marked[..marked.find('^').unwrap()].matches('\n').count();
    let column = marked.lines().find_map(|line| line.find('^')).unwrap() + 1;
    let found = problem(&metric(&format!("{}\n", marked.replace('^', ""))));
    let expected = format!("{line}:{column}: {message}");
    assert!(found.starts_with(&expected), "expected {expected}\n   found {found}");
}

/// Fails unless a metric of these measures loads; its value is the measure `a`.
#[track_caller]
fn loads(measures: &str) {
    let found = problem(&metric(&format!("    measures: {{{measures}}}\n    value: a\n")));
    assert_eq!(found, "fine", "{measures}");
}

#[test]
fn a_key_that_means_nothing_is_refused() {
    for (measure, message) in [
        (
            "{count: order, at: ^start}",
            "`at` means nothing for a count; it belongs to `level`, `quantile` and `distinct`",
        ),
        (
            "{level: customer, traits: ^start}",
            "`traits` means nothing for a level; it belongs to `count: customer_lost`",
        ),
        (
            "{count: order, of: ^net}",
            "`of` means nothing for a count; it belongs to `sum`, `mean`, `quantile`, `level`, `min` and `max`",
        ),
        ("{sum: order, of: net, among: ^customer}", "`among` means nothing for a sum; it belongs to `distinct`"),
        ("{level: customer, then: ^lost}", "`then` means nothing for a level; it belongs to `cohort`"),
        ("{mean: order, of: net, then: ^lost}", "`then` means nothing for a mean; it belongs to `cohort`"),
        (
            "{distinct: order, of: ^net}",
            "`of` means nothing for a distinct; it belongs to `sum`, `mean`, `quantile`, `level`, `min` and `max`",
        ),
        (
            "{cohort: customer, then: lost, at: ^end}",
            "`at` means nothing for a cohort; it belongs to `level`, `quantile` and `distinct`",
        ),
        ("{count: order, traits: ^start}", "`traits` means nothing here; it belongs to `count: customer_lost`"),
        ("{count: customer_lost, traits: ^end}", "`end` is not known here; use start"),
        ("{level: customer, at: ^middle}", "`middle` is not known here; use start or end"),
        ("{count: order, sum: ^order}", "the measure `a` is a count already, no sum; a measure has exactly one of"),
        ("{count: ^order.complete}", "there is no event type `order.complete`; did you mean `order.completed`?"),
        ("{distinct: ^Order.Completed}", "there is no event type `Order.Completed`; did you mean `order.completed`?"),
        ("{count: ^retracted}", "there is no fact `retracted`; use order, refund,"),
    ] {
        refused(&format!("    measures: {{a: {measure}}}\n    value: a"), message);
    }
    let empty = problem(&metric("    measures: {a: {where: first}}\n    value: a\n"));
    assert!(empty.starts_with("3:11: the measure `a` counts nothing; a measure has exactly one of"), "{empty}");
    let none = problem(&metric("    value: \"1\"\n"));
    assert_eq!(none, "3:11: the metric needs a measure; give `measures`");
}

#[test]
fn a_filter_reads_what_the_measure_has() {
    for (measure, message) in [
        ("{level: customer, where: ^nonsense == 1}", "there is no field `nonsense` here; there are traits.NAME"),
        (
            "{level: customer, where: ^data.custom.test}",
            "there is no field `data.custom.test` here; there are traits.NAME",
        ),
        ("{level: customer, where: ^net > 5}", "there is no field `net` here"),
        ("{cohort: customer, then: lost, where: ^channel == a}", "there is no field `channel` here"),
        (
            "{count: customer_started, where: ^currency != net}",
            "there is no field `net` here; there are first, traits.NAME",
        ),
        (
            "{count: page.viewed, where: ^data.channel == a}",
            "there is no field `data.channel` here; there are type, data.custom.NAME",
        ),
        ("{count: usage.recorded, where: ^name == type}", "`name` may be data.name or traits.name; write one of them"),
        ("{count: order, where: ^traits.plann == type}", "`traits.plann` looks like `traits.plan`; write that"),
        ("{distinct: meaningful, where: first}", ""),
        (
            "{distinct: order, where: ^traits.plan == type || first}",
            "a condition of `distinct` is over the event or over the account's traits; join",
        ),
        ("{sum: order, of: ^traits.plan}", "`traits.plan` is not a number that can be summed"),
    ] {
        let body = format!("    measures: {{a: {measure}}}\n    value: a");
        match message {
            "" => assert_eq!(problem(&metric(&format!("{body}\n"))), "fine", "{measure}"),
            // Where a later name is wrong, the line alone is that of the mark.
            _ if measure.contains("!= net") => {
                let found = problem(&metric(&format!("{}\n", body.replace('^', ""))));
                assert!(found.contains(message), "{found}");
            }
            _ => refused(&body, message),
        }
    }
    for measure in [
        "a: {level: customer, where: 'traits.plan == \"pro\"'}",
        "a: {level: customer, where: plan == region}",
        "a: {level: customer, where: '!traits.test && traits.custom.seats > 10'}",
        "a: {cohort: customer, then: lost, where: '!traits.test'}",
        "a: {count: customer_lost, traits: start, where: '!traits.test'}",
        "a: {count: customer_started, where: first && plan == region}",
        "a: {distinct: meaningful, among: customer, where: '!traits.test && !data.custom.bot'}",
        "a: {distinct: order, where: 'data.channel == \"web\" && net > 100 && plan != \"free\"'}",
        "a: {distinct: refund}",
        "a: {distinct: customer_started}",
        "a: {distinct: customer_lost, where: plan == region}",
        "a: {count: order.completed, where: custom.store == 12}",
        "a: {count: page.viewed, where: data.custom.path == type}",
        "a: {count: order.cancelled}",
        "a: {mean: usage.recorded, of: data.count, where: data.user == data.name}",
    ] {
        loads(measure);
    }
}

#[test]
fn a_dimension_exists_and_the_measure_has_it() {
    let by = |by: &str, measure: &str| format!("    by: {by}\n    measures: {{a: {measure}}}\n    value: a");
    for (set, measure, message) in [
        ("[[^plann]]", "{count: order}", "there is no dimension `plann`; did you mean `plan`? there are channel,"),
        ("[[], [^nonsense]]", "{count: order}", "there is no dimension `nonsense`; there are channel, source, product"),
        ("[[^tier]]", "{count: order}", "there is no dimension `tier`; there are"),
        ("[[^data.plan]]", "{count: order}", "there is no dimension `data.plan`;"),
        (
            "[[^currency]]",
            "{count: order}",
            "the currency is a dimension of every metric of money; the account's own is",
        ),
        ("[[plan], [^traits.plan]]", "{count: order}", "the metric has the dimensions [plan] twice; leave one out"),
        ("[[plan, region], [^region, plan]]", "{count: order}", "the metric has the dimensions [region, plan] twice"),
        ("[[custom.x, ^data.custom.x]]", "{count: order}", "`custom.x` is there twice; leave one out"),
        ("[[^channel]]", "{count: usage.recorded}", "`channel` is a dimension of order, refund"),
        ("[[plan], [^data.source]]", "{count: event}", "`source` is a dimension of order, refund"),
        (
            "[[^custom.x]]",
            "{level: customer}",
            "a measure of accounts has their traits as dimensions, and no custom field;",
        ),
        ("[[^product]]", "{distinct: order}", "a measure of accounts has their traits as dimensions, and no product;"),
    ] {
        refused(&by(set, measure), message);
    }
    let names = |set: &str, measure: &str| {
        let text = metric(&format!("{}\n", by(set, measure)));
        let plan = Plan::lower(&Catalog::parse(&text).unwrap(), &Settings::default()).unwrap();
        plan.metrics[0].views.iter().map(|view| view.by.join(",")).collect::<Vec<_>>().join(" ")
    };
    let orders =
        "[[data.channel], [source], [data.custom.x], [traits.plan], [region], [traits.tier], [traits.custom.x]]";
    assert_eq!(names(orders, "{count: order}"), "channel source custom.x plan region tier traits.custom.x");
    assert_eq!(names("[[traits.channel, traits.currency]]", "{level: customer}"), "traits.channel,traits.currency");
}

#[test]
fn silence_and_metrics_of_accounts_have_no_more_than_they_use() {
    let account = |body: &str| {
        problem(&metric(&format!("    per: account\n{body}")).replace("windows: [1d]", "windows: [to-date]"))
    };
    let silence = |body: &str| problem(&metric(&format!("    per: account\n{body}")));
    assert_eq!(silence("    silence: [7, 14]\n"), "fine");
    let measured = silence("    silence: [7, 14]\n    measures: {a: {count: order}}\n");
    assert!(measured.starts_with("9:14: `silence` is measured by itself; leave `measures`"), "{measured}");
    let filtered = silence("    silence: [7, 14]\n    where: first\n");
    assert!(filtered.starts_with("10:5: unknown field `where`; there are"), "{filtered}");
    let steps = "9:14: the steps of `silence` are days, at least 1, and ascend";
    assert_eq!(
        [silence("    silence: [7, 7]\n"), silence("    silence: [0]\n"), silence("    silence: []\n")],
        [steps; 3]
    );
    let first = metric("    per: account\n    silence: [7]\n");
    let second = first.split_once("metrics:\n").unwrap().1.replace("name: m", "name: n").replace("[7]", "[30]");
    assert_eq!(
        problem(&format!("{first}{second}")),
        "16:14: there is a metric of silence already; give all steps in one"
    );

    let value = "    measures: {a: {count: order}}\n    value: a\n";
    assert_eq!(account(value), "fine");
    let by = account(&format!("    by: [[plan]]\n{value}"));
    assert_eq!(by, "9:11: a metric `per: account` is by account alone; leave `by` out, or `per: account`");
    let every = account(&format!("    every_window: true\n{value}"));
    assert_eq!(every, "3:11: `every_window` means nothing for a metric `per: account`; leave it out");
}

#[test]
fn money_is_said_to_be_money() {
    let sold = "    measures: {a: {sum: order, of: net}, b: {sum: refund, of: amount}, c: {count: order}}\n";
    let with = |unit: &str, value: &str| {
        problem(&metric(&format!("{sold}    value: {value}\n")).replace("unit: count", &format!("unit: {unit}")))
    };
    for value in ["a - b", "a / c", "2 * (a / c)", "a - a * (b / a)"] {
        assert_eq!(with("money", value), "fine", "{value}");
        let found = with("count", value);
        assert!(found.starts_with("6:11: the value is an amount of money, and amounts of all currencies"), "{found}");
    }
    assert_eq!([with("ratio", "b / a"), with("count", "c"), with("count", "'a > b ? c : 0'")], ["fine"; 3]);
    let squared = with("money", "a * b");
    assert!(squared.starts_with("9:14: money times money is no amount; multiply by a count"), "{squared}");
    let zero = with("money", "a / 0");
    assert!(zero.starts_with("9:16: this is always 0, and nothing is divided by 0"), "{zero}");
}

#[test]
fn every_mistake_is_found_at_once() {
    let text = "meaningful: [customer_lost]\nmetrics:\n\
        \x20 - {name: a, title: A, description: D, unit: count, windows: [1d], measures: {m: {count: ordr}, n: {sum: order, of: currency}}, value: m}\n\
        \x20 - {name: b, title: B, description: D, unit: coins, windows: [1d], measures: {m: {count: order}}, value: m}\n\
        \x20 - {name: c, title: C, description: D, unit: count, windows: [1d], measures: {m: {count: order}}, value: m + x}\n\
        \x20 - {name: d, title: D, description: D, unit: count, windows: [1d], measures: {m: {count: order}}, value: m}\n";
    let mistakes = Plan::mistakes(&Catalog::parse(text).unwrap(), &Settings::default());
    let found: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let expected = [
        ("customer_lost", "a loss is no sign of life"),
        ("ordr", "there is no fact `ordr`"),
        ("currency", "`currency` is not a number"),
        ("coins", "unknown unit `coins`"),
        ("x}", "there is no measure `x`"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (wrong, message)) in found.iter().zip(expected) {
        let (line, column) =
            text.lines().zip(1..).find_map(|(text, line)| Some((line, text.find(wrong)? + 1))).unwrap();
        assert!(
            found.starts_with(&format!("{line}:{column}: {message}")),
            "{found}, expected {line}:{column}: {message}"
        );
    }
}

#[test]
fn what_counts_as_a_sign_of_life_is_checked() {
    let with = |list: &str| {
        problem(&metric("    measures: {a: {distinct: meaningful}}\n    value: a\n").replace("[order]", list))
    };
    assert_eq!(with("[order, refund, customer_started, order.cancelled, page.viewed]"), "fine");
    assert_eq!(with("[customer_lost]"), "1:14: a loss is no sign of life of an account; leave `customer_lost` out");
    assert_eq!(with("[order, order.completed]"), "1:21: `order.completed` is there twice; leave one out");
    assert!(with("[usage.record]").starts_with("1:14: there is no event type `usage.record`; did you mean"));
}

#[test]
fn equal_words_of_unlike_facts_are_unlike_filters() {
    let text = metric(
        "    measures: {a: {count: order, where: currency == region}, b: {level: customer, where: currency == region}}\n    value: a + b\n",
    );
    let plan = Plan::lower(&Catalog::parse(&text).unwrap(), &Settings::default()).unwrap();
    assert_eq!(plan.filters.len(), 2);
    assert_ne!(plan.filters[0], plan.filters[1]);
}

/// Metrics of the built-in catalog whose definition is another one, after a change.
fn changed(change: impl FnOnce(&mut Settings), catalog: &str) -> Vec<String> {
    let mut settings = Settings::default();
    let before = Plan::built_in(&settings).unwrap();
    change(&mut settings);
    let after = Plan::lower(&Catalog::parse(catalog).unwrap(), &settings).unwrap();
    let pairs = before.metrics.into_iter().zip(after.metrics);
    let changed: Vec<String> = pairs.filter(|(a, b)| a.render() != b.render()).map(|(metric, _)| metric.name).collect();
    assert_eq!(before.generation == after.generation, changed.is_empty(), "{changed:?}");
    changed
}

#[test]
fn a_definition_changes_with_the_settings_that_it_reads() {
    let built_in = crate::catalog::BUILT_IN;
    let all: Vec<String> =
        Plan::built_in(&Settings::default()).unwrap().metrics.into_iter().map(|metric| metric.name).collect();
    let but = |left_out: &[&str]| -> Vec<String> {
        all.iter().filter(|name| !left_out.contains(&name.as_str())).cloned().collect()
    };
    assert!(changed(|_| (), built_in).is_empty());
    const GOALS: [&str; 4] = ["goal_progress", "goal_expected", "goal_lead", "goal_state"];
    let and_goals = |names: &[&'static str]| [names, &GOALS].concat();
    assert_eq!(changed(|settings| settings.margin = Rational::ZERO, built_in), and_goals(&["customer_lifetime_value"]));
    assert_eq!(
        changed(|settings| settings.silent_after += 1, built_in),
        and_goals(&[
            "customers",
            "customers_started",
            "customers_lost",
            "customer_churn_rate",
            "customer_churn_rate_rolling",
            "engagement_rate",
            "customer_retention_cost",
            "customer_acquisition_cost",
            "customer_acquisition_cost_lag",
            "upsell_rate",
            "cross_sell_rate",
            "customer_lifetime_value",
            "health_score",
            "health_score_accounts"
        ])
    );
    assert_eq!(
        changed(|settings| settings.time_zone = "Europe/Berlin".to_owned(), built_in),
        but(&["account_value", "open_deals"])
    );
    assert_eq!(changed(|settings| settings.allowed_lateness += 1, built_in), but(&["account_value", "open_deals"]));
    let metrics = Plan::built_in(&Settings::default()).unwrap().metrics.into_iter();
    let of_tenant: Vec<String> = metrics.filter(|metric| metric.per == Per::Tenant).map(|metric| metric.name).collect();
    assert_eq!(changed(|settings| settings.dimension_values_max += 1, built_in), of_tenant);
    assert!(changed(|settings| settings.keep += 1, built_in).is_empty(), "no metric has windows of an hour");
    assert_eq!(changed(|settings| settings.week_start = jiff::civil::Weekday::Sunday, built_in), of_tenant);
    assert_eq!(changed(|settings| settings.fiscal_year_start = 4, built_in), of_tenant);
    assert_eq!(changed(|settings| settings.max_ahead += 1, built_in), all);
}

#[test]
fn a_definition_changes_with_what_counts_as_activity() {
    let less = crate::catalog::BUILT_IN.replace("meaningful: [order, usage.recorded,", "meaningful: [order,");
    assert_eq!(changed(|_| (), &less), ["engagement_rate", "silence", "health_score", "health_score_accounts"]);
}

#[test]
fn another_dimension_is_computed_again_under_the_same_definition() {
    let more = crate::catalog::BUILT_IN.replacen(
        "by: [[]]\n    measures:\n      events",
        "by: [[], [plan]]\n    measures:\n      events",
        1,
    );
    assert_eq!(changed(|_| (), &more), ["events"]);
    let definition = |text: &str| {
        Plan::lower(&Catalog::parse(text).unwrap(), &Settings::default()).unwrap().metrics[0].definition.clone()
    };
    assert_eq!(definition(&more), definition(crate::catalog::BUILT_IN));
}

#[test]
fn a_definition_changes_with_what_it_means_only() {
    let definition = |value: &str, title: &str| {
        let text =
            metric(&format!("    measures: {{a: {{count: order}}}}\n    value: {value}\n")).replace("title: M", title);
        Plan::lower(&Catalog::parse(&text).unwrap(), &Settings::default()).unwrap().metrics[0].definition.clone()
    };
    assert_eq!(definition("a", "title: M"), definition("a", "title: N"));
    assert_ne!(definition("a", "title: M"), definition("2 * a", "title: M"));
}

#[test]
fn types_that_no_metric_reads_are_known() {
    let plan = Plan::built_in(&Settings::default()).unwrap();
    let whatever_the_metrics = ["account.updated", "identity.linked", "retracted"];
    for kind in ["order.completed", "payment.refunded", "usage.recorded"].into_iter().chain(whatever_the_metrics) {
        assert!(plan.measures(kind), "{kind}");
    }
    for kind in ["contact.updated", "my.own", ""] {
        assert!(!plan.measures(kind), "{kind}");
    }
    let text = "meaningful: [order]\nmetrics:\n  - name: m\n    title: M\n    description: M.\n    unit: count\n    \
                windows: [1d]\n    measures:\n      a: {count: my.own}\n      \
                b: {count: event, where: 'type == \"page.viewed\"'}\n    value: a + b\n";
    let plan = Plan::lower(&Catalog::parse(text).unwrap(), &Settings::default()).unwrap();
    assert_eq!(
        ["my.own", "page.viewed", "usage.recorded", "order.completed"].map(|kind| plan.measures(kind)),
        [true, true, false, true]
    );
}
