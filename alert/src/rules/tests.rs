//! Rule files: the ready packs load, and every mistake is reported with its place.

use expect_test::{Expect, expect};
use processor_core::settings::Settings;

use super::*;

fn plan() -> Plan {
    Plan::built_in(&Settings::default()).unwrap()
}

fn check(rules: &str, expected: Expect) {
    let text = format!("groups:\n  - name: g\n    rules:\n{rules}");
    let told = match Rules::parse(&text, &plan()) {
        Ok(rules) => rules.names().collect::<Vec<_>>().join(", "),
        Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    expected.assert_eq(&format!("{told}\n"));
}

#[test]
fn ready_packs_load_together_and_read_again() {
    let (plan, mut rules) = (plan(), Rules::default());
    for name in ["churn-risk", "support", "sales", "revenue"] {
        let path = format!("{}/../deploy/rules/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let more = Rules::parse(&text, &plan).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        rules = rules.join(more).unwrap();
    }
    assert!(rules.names().count() >= 12);
    for metric in &rules.metrics {
        let again = MetricRules::of_text(&metric.metric, &metric.text, &plan).unwrap();
        assert_eq!(format!("{:?}", again.streams), format!("{:?}", metric.streams), "{}", metric.metric);
        assert_eq!(again.text, metric.text);
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    check(
        "      - {alert: A, metric: helth_score, expr: value < 40}\n      \
         - {alert: B, metric: health_score, window: 1mo, expr: value <}\n      \
         - {alert: B, metric: nps, expr: value + 1, for: soon}\n      \
         - {alert: C, silence: 60d, expr: value > 1}\n      \
         - {alert: D, silence: 61d, severity: '{{ x'}\n      \
         - {alert: E, metric: nps, window: 1d, by: [plam], falls: {by: 0, within: 0d}}\n      \
         - {alert: F, metric: health_score, enters: bad, where: trait.plan == \"a\"}\n      \
         - {alert: G, metric: csat, window: 1d, will_be: {expr: value < 1, within: 3d}}\n      \
         - {alert: H, expr: value < 1}\n      \
         - {alert: I, metric: health_score, unusual: worse, max_per_day: 0}\n",
        expect![[r#"
            4:28: there is no metric `helth_score`; did you mean `health_score`?
            5:50: `health_score` has no window `1mo`; there are 1d
            5:68: the expression ends too early; an expression looks like `a + b`, `a == "text" && b > 2` or `a in ["b", "c"]`
            6:17: there is a rule `B` in line 5 already; give one another name
            6:17: `nps` has several windows; give `window`, one of 1d, 1w, 1mo, 1q, 1y, trailing 30d
            6:39: a condition is true or false; compare something, such as `value < 40`
            6:55: `soon` is no length of time; write one like 30s, 15m, 2h, 7d, 2w or 1h30m
            7:17: a rule has exactly one condition; give one of expr, enters, falls, rises, silence, unusual, behind, baseline, will_be
            8:29: `silence` has no step of 61 days; there are 7, 14, 30, 60, 90, and the catalog may have others (`silence`)
            8:44: the template is wrong: unexpected end of input, expected end of variable block
            9:49: `nps` is not kept by [plam]; there are [], [plan], [segment], [region]
            9:69: `0` is no amount; write points like 15, or a share like 20%
            9:80: the length of time is 0; write one like 14d
            10:50: `health_score` has no band `bad`; there are healthy, at_risk, critical
            10:62: there is no `trait.plan`; there are value, before, num, den, final, corrected, reason, account, currency, traits.NAME, dimensions.NAME and contributions.NAME
            11:62: `csat` has no projection; only the score of accounts has one
            12:17: the rule reads no metric; give `metric`, a name of `vitals metrics`
            13:51: a usual range needs windows that follow each other; use `baseline` for what accounts do
            13:71: `max_per_day` is at least 1; leave the rule out instead
        "#]],
    );
}

#[test]
fn an_unknown_key_and_a_broken_file() {
    check(
        "      - {alert: A, metrik: nps}\n",
        expect![[r#"
        4:20: unknown field `metrik`; there are alert, metric, window, final, by, where, expr, enters, falls, rises, silence, unusual, behind, baseline, will_be, for, keep_firing_for, recovery, cooldown, max_per_day, severity, owner, labels, annotations
    "#]],
    );
    check(
        "      - {alert: A, metric: [\n",
        expect![[r#"
        4:28: unclosed bracket '['
    "#]],
    );
}

#[test]
fn two_files_with_one_name_are_refused() {
    let rules = |name: &str| {
        let text = format!("groups: [{{name: g, rules: [{{alert: {name}, silence: 60d}}]}}]");
        Rules::parse(&text, &plan()).unwrap()
    };
    assert!(rules("a").join(rules("a")).unwrap_err().contains("two rules `a`"));
    assert_eq!(rules("a").join(rules("b")).unwrap().of("silence").streams[0].rules.len(), 2);
}
