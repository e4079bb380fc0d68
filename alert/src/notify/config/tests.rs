use expect_test::{Expect, expect};

use super::*;

fn check(yaml: &str, expected: Expect) {
    let shown = match Config::parse(yaml) {
        Ok(_) => "right\n".to_owned(),
        Err(mistakes) => mistakes.iter().map(|mistake| format!("{mistake}\n")).collect(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_example_is_right() {
    check(
        include_str!("../../../../deploy/notify/example.yaml"),
        expect![[r#"
        right
    "#]],
    );
}

#[test]
fn every_mistake_has_its_place_and_its_cure() {
    check(
        r#"
external_url: example.com
zone: Mars/Olympus
route:
  receiver: hok
  group_wait: soon
  routes:
    - matchers: ['severity=~"("', severity]
      receiver: hook
    - receiver: hook
    - matchers: [rule=a]
      receiver: boss
receivers:
  - name: hook
    webhook: {url: "ftp://example.com"}
    quiet: {from: "25:00", to: "08:00", zone: Europe/Berlin}
  - name: both
    webhook: {url: "https://example.com"}
    slack: {url_env: VITALS_TEST_NO_SUCH}
  - name: pager
    pagerduty: {routing_key_env: VITALS_TEST_NO_SUCH}
    digest: daily 09:00
  - name: pages
    pagerduty: {}
  - name: task
    task: {url: "https://example.com", body: "{{ title"}
    at_most: many
owners:
  anna: {receiver: hook, address: anna@example.com}
"#,
        expect![[r#"
            2:15: `example.com` is no address; write one like https://vitals.example.com
            3:7: `Mars/Olympus` is no time zone; write an IANA name such as Europe/Berlin
            5:13: there is no receiver `hok`; there are both, hook, pager, pages, task
            6:15: `soon` is no span of time; write one like 30s, 5m, 4h or 7d
            8:18: `(` is no regular expression: unclosed group
            8:35: `severity` is no matcher; write name="value", with =, !=, =~ or !~ between them
            11:18: no alert reaches this route: a route before it takes all of them; put it first, or give the other one `continue: true`
            12:17: there is no receiver `boss`; there are both, hook, pager, pages, task
            15:20: the address is none; write one like https://example.com/hook
            16:19: `25:00` is no time of the day; write one like "09:00"
            17:11: a receiver has exactly one of alertmanager, webhook, slack, pagerduty, teams, email and task
            21:34: a secret cannot be read: the environment has no VITALS_TEST_NO_SUCH; set it where this process is started
            23:11: the receiver needs `routing_key_file` or `routing_key_env`; secrets are not written into this file
            26:46: line 1 of the template does not parse: unexpected end of input, expected end of variable block
            27:14: `many` is no limit; write one like `20 per day`
        "#]],
    );
}

#[test]
fn an_unknown_key_is_a_mistake() {
    check(
        "route: {receiver: a}\nreceivers:\n  - {name: a, webhok: {url: 'https://a.example'}}\n",
        expect![[r#"
        3:15: unknown field `webhok`; there are name, alertmanager, webhook, slack, pagerduty, teams, email, task, send_resolved, timeout, allow_private, ca_file, give_up_after, quiet, digest, at_most, zone, max_alerts, title, body
    "#]],
    );
}

#[test]
fn routes_are_those_of_alertmanager() {
    let config = Config::parse(
        "
route:
  receiver: root
  routes:
    - {matchers: [severity=critical], receiver: a, continue: true}
    - matchers: [rule=churn]
      receiver: b
      routes: [{matchers: [account=acme], receiver: c}]
receivers: [{name: root, webhook: &w {url: 'https://a.example'}}, {name: a, webhook: *w}, {name: b, webhook: *w}, {name: c, webhook: *w}]
",
    )
    .unwrap();
    let to = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        config.routes(&labels).iter().map(|route| route.receiver.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(to(&[]), "root");
    assert_eq!(to(&[("severity", "critical")]), "a");
    assert_eq!(to(&[("severity", "critical"), ("rule", "churn")]), "a b");
    assert_eq!(to(&[("rule", "churn"), ("account", "acme")]), "c");
}

#[test]
fn no_secret_is_shown() {
    // A name of this test only.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnk=\n").unwrap();
    let yaml = format!(
        "route: {{receiver: a}}\nreceivers: [{{name: a, webhook: {{url: 'https://a.example', secret_file: {}}}}}]\n",
        file.path().display()
    );
    let shown = format!("{:?}", Config::parse(&yaml).unwrap());
    assert!(!shown.contains("Y2FuYXJ5") && !shown.contains("canary"), "{shown}");
}
