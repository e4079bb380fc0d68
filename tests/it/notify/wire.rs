//! What each kind of receiver gets, checked against the public specification of its vendor: required fields, values,
//! limits, escapes. Accounts have hostile names.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{everything, orders, receiver::Receiver, silent};
use crate::{
    http::Door,
    sdk::{pip, sdk, sends},
};

/// A name that is markup in every format.
const HOSTILE: &str = "A&B <!channel> [x](http://evil.example) \"q\" \\ <b>";

/// Verifies a request as a receiver would, by the library of Standard Webhooks.
const VERIFY: &str = r#"
import sys, json
from standardwebhooks.webhooks import Webhook
request = json.load(sys.stdin)
for secret in sys.argv[1:]:
    Webhook(secret).verify(request["body"], request["headers"])
try:
    Webhook("whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=").verify(request["body"], request["headers"])
    sys.exit("another secret verified it")
except Exception as error:
    print(type(error).__name__)
"#;

const SECRETS: [&str; 2] = ["whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3", "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xk"];

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

#[track_caller]
fn has_only(value: &Value, needed: &[&str], allowed: &[&str]) {
    let found = fields(value);
    for name in needed {
        assert!(found.contains(name), "{name} is missing: {value}");
    }
    for name in found {
        assert!(needed.contains(&name) || allowed.contains(&name), "{name} is not in the specification: {value}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[track_caller]
fn is_time(value: &Value) {
    let _: jiff::Timestamp = text(value).parse().unwrap_or_else(|error| panic!("{value}: {error}"));
}

/// Alertmanager's webhook, version 4.
fn is_version_4(body: &Value, status: &str) {
    let needed = [
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
    ];
    has_only(body, &needed, &[]);
    assert_eq!((text(&body["version"]), text(&body["status"])), ("4", status));
    assert!(body["truncatedAlerts"].is_u64());
    for alert in body["alerts"].as_array().unwrap() {
        has_only(alert, &["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"], &[]);
        is_time(&alert["startsAt"]);
        is_time(&alert["endsAt"]);
        assert!(["firing", "resolved"].contains(&text(&alert["status"])));
        assert_eq!(text(&alert["endsAt"]) == "0001-01-01T00:00:00Z", alert["status"] == "firing");
        for labels in ["labels", "annotations"] {
            alert[labels].as_object().unwrap().values().for_each(|value| assert!(value.is_string(), "{alert}"));
        }
        assert_eq!(alert["labels"]["alertname"], "silent_90d");
    }
}

#[test]
fn a_webhook_gets_the_firing_and_its_end_with_signatures_that_the_library_verifies() {
    let receiver = Receiver::new();
    let hook = format!(
        "  - name: hook\n    webhook: {{url: '{}', secret_env: VITALS_TEST_NEW, old_secret_env: VITALS_TEST_OLD}}\n    allow_private: true\n",
        receiver.url()
    );
    let silent_accounts = [HOSTILE];
    let data = silent(&silent_accounts, &everything(&["hook"], &hook));
    let mut command = data.command(["ingest", "--listen", "127.0.0.1:0"]);
    command.env("VITALS_TEST_NEW", SECRETS[0]).env("VITALS_TEST_OLD", SECRETS[1]).stderr(std::process::Stdio::null());
    let door = Door::of(command);
    let firing = receiver.wait(1).remove(0);
    assert_eq!((firing.method.as_str(), firing.path.as_str()), ("POST", "/hook"));
    assert_eq!(firing.header("content-type"), "application/json");
    let body = firing.json();
    is_version_4(&body, "firing");
    let alert = &body["alerts"][0];
    assert_eq!(alert["labels"]["account"], HOSTILE);
    let link = "https://vitals.example.com/accounts/A&B%20%3C!channel%3E%20[x](http:%2F%2Fevil.example)%20%22q%22%20%5C%20%3Cb%3E";
    assert_eq!(alert["generatorURL"], link, "one segment of the path");
    assert!(text(&alert["annotations"]["value"]).contains("days"), "{alert}");

    orders(&door, HOSTILE);
    let ended = receiver.wait(2).remove(1);
    is_version_4(&ended.json(), "resolved");
    assert_eq!(ended.json()["alerts"][0]["fingerprint"], alert["fingerprint"]);
    assert_eq!(ended.json()["alerts"][0]["annotations"]["reason"], "recovered");
    assert_ne!(firing.header("webhook-id"), ended.header("webhook-id"));
    assert!(door.stop().success());

    let Some(folder) = sdk("python-standardwebhooks-1.0.1", pip("standardwebhooks==1.0.1")) else { return };
    for request in [&firing, &ended] {
        assert_eq!(request.header("webhook-signature").split(' ').count(), 2, "one for each secret");
        let headers: serde_json::Map<String, Value> =
            request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let script = data.file("verify.py", VERIFY);
        let input =
            data.file("request.json", serde_json::json!({"body": request.body, "headers": headers}).to_string());
        let mut python = Command::new("python3");
        python.arg(script).args(SECRETS).env("PYTHONPATH", &folder).stdin(std::fs::File::open(input).unwrap());
        assert_eq!(sends(&mut python), "WebhookVerificationError\n");
    }
}

/// Block Kit: <https://api.slack.com/reference/block-kit/blocks>.
fn is_slack(body: &Value) {
    has_only(body, &["text", "blocks"], &[]);
    assert!(text(&body["text"]).chars().count() <= 40_000);
    let blocks = body["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        match text(&block["type"]) {
            "header" => {
                has_only(block, &["type", "text"], &["block_id"]);
                assert_eq!(block["text"]["type"], "plain_text");
                assert!((1..=150).contains(&text(&block["text"]["text"]).chars().count()), "{block}");
            }
            "section" => {
                has_only(block, &["type", "text"], &["block_id", "fields", "accessory"]);
                is_mrkdwn(&block["text"], 3_000);
            }
            "context" => {
                has_only(block, &["type", "elements"], &["block_id"]);
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                elements.iter().for_each(|element| is_mrkdwn(element, 3_000));
            }
            "actions" => {
                has_only(block, &["type", "elements"], &["block_id"]);
                for element in block["elements"].as_array().unwrap() {
                    has_only(element, &["type", "text"], &["action_id", "url", "value", "style"]);
                    assert!(text(&element["text"]["text"]).chars().count() <= 75);
                    assert!(text(&element["url"]).len() <= 3_000);
                }
            }
            other => panic!("no block of ours: {other}"),
        }
    }
}

fn is_mrkdwn(value: &Value, max: usize) {
    has_only(value, &["type", "text"], &["verbatim"]);
    let written = text(&value["text"]);
    assert_eq!(value["type"], "mrkdwn");
    assert!((1..=max).contains(&written.chars().count()), "{} characters", written.chars().count());
    assert!(!written.contains(['<', '>']), "not escaped: {written}");
    let loose = written
        .match_indices('&')
        .filter(|(at, _)| !["&amp;", "&lt;", "&gt;"].iter().any(|escape| written[*at..].starts_with(escape)));
    assert_eq!(loose.count(), 0, "a loose &: {written}");
}

/// Events API v2: <https://developer.pagerduty.com/docs/send-alert-event>.
fn is_pagerduty(body: &Value, action: &str) {
    let optional = ["payload", "dedup_key", "client", "client_url", "links", "images"];
    has_only(body, &["routing_key", "event_action"], &optional);
    assert_eq!(text(&body["routing_key"]).len(), 32);
    assert_eq!(body["event_action"], action);
    assert!((1..=255).contains(&text(&body["dedup_key"]).len()));
    if action != "trigger" {
        return;
    }
    let payload = &body["payload"];
    let optional = ["timestamp", "component", "group", "class", "custom_details"];
    has_only(payload, &["summary", "source", "severity"], &optional);
    assert!((1..=1_024).contains(&text(&payload["summary"]).chars().count()));
    assert!(["critical", "error", "warning", "info"].contains(&text(&payload["severity"])));
    is_time(&payload["timestamp"]);
    assert!(payload["custom_details"].is_object());
    for link in body["links"].as_array().unwrap() {
        has_only(link, &["href"], &["text"]);
    }
}

/// A message with an Adaptive Card: <https://adaptivecards.io/explorer/>.
fn is_teams(raw: &str, body: &Value) {
    assert!(raw.len() <= 28 * 1024, "{} bytes", raw.len());
    has_only(body, &["type", "attachments"], &["summary"]);
    assert_eq!(body["type"], "message");
    let [attachment] = body["attachments"].as_array().unwrap().as_slice() else { panic!("{body}") };
    has_only(attachment, &["contentType", "contentUrl", "content"], &[]);
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert!(attachment["contentUrl"].is_null());
    let card = &attachment["content"];
    has_only(card, &["type", "version", "body"], &["$schema", "actions", "msteams"]);
    assert_eq!((text(&card["type"]), text(&card["version"])), ("AdaptiveCard", "1.4"));
    for block in card["body"].as_array().unwrap() {
        // Where no markdown is read: names of customers can make no links.
        has_only(block, &["type", "inlines"], &[]);
        assert_eq!(block["type"], "RichTextBlock");
        for run in block["inlines"].as_array().unwrap() {
            has_only(run, &["type", "text"], &["weight", "size", "color"]);
            assert_eq!(run["type"], "TextRun");
            assert!(!text(&run["text"]).is_empty());
        }
    }
    for action in card["actions"].as_array().unwrap() {
        has_only(action, &["type", "title", "url"], &[]);
        assert_eq!(action["type"], "Action.OpenUrl");
    }
}

/// A ready template of a follow-up task, with the address of the test in the place of the vendor's.
fn ready(name: &str, url: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/notify").join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(file).unwrap();
    let hosts = ["https://api.clickup.com", "https://example.atlassian.net", "https://app.asana.com"];
    let text = hosts.iter().fold(text, |text, host| text.replace(host, url.trim_end_matches("/hook")));
    let entry = text.split_once("receivers:\n").unwrap().1.replace("    task:", "    allow_private: true\n    task:");
    assert!(entry.contains(url.trim_end_matches("/hook")), "{entry}");
    entry
}

#[test]
fn slack_pagerduty_teams_and_tasks_get_what_their_vendors_specify() {
    let names = ["slack", "pagerduty", "teams", "clickup", "jira", "asana"];
    let receivers = names.map(|_| Receiver::new());
    let [slack, pagerduty, teams, clickup, jira, asana] = &receivers;
    let yaml = format!(
        "  - {{name: slack, allow_private: true, slack: {{url_env: VITALS_TEST_SLACK}}}}
  - {{name: pagerduty, allow_private: true, pagerduty: {{routing_key_env: VITALS_TEST_KEY, url: '{}'}}}}
  - {{name: teams, allow_private: true, max_alerts: 100, teams: {{url_env: VITALS_TEST_TEAMS}}}}
{}{}{}",
        pagerduty.url(),
        ready("clickup", &clickup.url()),
        ready("jira", &jira.url()),
        ready("asana", &asana.url())
    );
    let many: Vec<String> = (0..60).map(|number| format!("{number} {}", HOSTILE.repeat(12))).collect();
    let accounts: Vec<&str> = many.iter().map(String::as_str).collect();
    let data = silent(&accounts, &everything(&names, &yaml));
    let mut command = data.command(["ingest", "--listen", "127.0.0.1:0"]);
    command.env("VITALS_TEST_SLACK", slack.url()).env("VITALS_TEST_TEAMS", teams.url());
    command.env("VITALS_TEST_KEY", "0123456789abcdef0123456789abcdef").stderr(std::process::Stdio::null());
    for name in ["CLICKUP_TOKEN", "JIRA_AUTHORIZATION", "ASANA_TOKEN"] {
        command.env(name, "pk_canary");
    }
    let door = Door::of(command);
    let (messages, card) = (slack.wait(1), teams.wait(1).remove(0));
    messages.iter().for_each(|message| is_slack(&message.json()));
    assert!(messages[0].body.contains("&lt;!channel&gt;"), "{}", messages[0].body);
    is_teams(&card.body, &card.json());

    let events = pagerduty.wait(accounts.len());
    events.iter().for_each(|event| is_pagerduty(&event.json(), "trigger"));
    let keys: BTreeSet<String> = events.iter().map(|event| text(&event.json()["dedup_key"]).to_owned()).collect();
    assert_eq!(keys.len(), accounts.len(), "an incident for each alert");

    for task in clickup.wait(accounts.len()) {
        let body = task.json();
        has_only(&body, &["name"], &["description", "priority", "tags", "notify_all"]);
        assert!((1..=4).contains(&body["priority"].as_u64().unwrap()));
        assert_eq!((task.path.as_str(), task.header("authorization")), ("/api/v2/list/LIST_ID/task", "pk_canary"));
    }
    for issue in jira.wait(accounts.len()) {
        let body = issue.json();
        has_only(&body, &["fields"], &[]);
        has_only(&body["fields"], &["project", "issuetype", "summary"], &["description", "labels"]);
        let summary = text(&body["fields"]["summary"]);
        assert!((1..=255).contains(&summary.chars().count()) && !summary.contains('\n'), "{summary}");
        assert_eq!(body["fields"]["description"]["type"], "doc", "the document format of version 3");
        assert_eq!(issue.path, "/rest/api/3/issue");
    }
    for task in asana.wait(accounts.len()) {
        let body = task.json();
        has_only(&body, &["data"], &[]);
        has_only(&body["data"], &["name", "projects"], &["notes"]);
        assert_eq!((task.path.as_str(), task.header("authorization")), ("/api/1.0/tasks", "Bearer pk_canary"));
    }

    // Acknowledged by the door while the process lives, then over.
    let first = events[0].json();
    let id = text(&first["dedup_key"]);
    let account = text(&first["payload"]["source"]);
    let address = door.address.to_string();
    data.run(["ack", id, "--by", "anna", "--door", &address]).done().says(&["acknowledged"]);
    let known = pagerduty.wait(accounts.len() + 1).pop().unwrap().json();
    is_pagerduty(&known, "acknowledge");
    assert_eq!(known["dedup_key"], id);
    orders(&door, account);
    let ended = pagerduty.wait(accounts.len() + 2).pop().unwrap().json();
    is_pagerduty(&ended, "resolve");
    assert_eq!(ended["dedup_key"], id);
    assert_eq!(clickup.all().len(), accounts.len(), "a task is made once");
    assert!(door.stop().success());
}
