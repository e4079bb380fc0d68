//! The real SDKs of CloudEvents, Python's and JavaScript's, send to a live door in both modes: what they make of an event
//! is what the door takes. So do the libraries of Segment, with the address of the door in the place of Segment's.
//!
//! They are installed once, at pinned versions, below the target folder. Where that is not possible a test says so and is
//! skipped, but fails in CI.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{data::Data, http::Door};

const PYTHON: &str = "cloudevents==2.2.0";
const JAVASCRIPT: &str = "cloudevents@10.0.0";
const SEGMENT_PYTHON: &str = "segment-analytics-python==2.4.0";
const SEGMENT_JAVASCRIPT: &str = "@segment/analytics-node@3.1.0";

/// What an application calls; only the address is another one.
const SEGMENT_PY: &str = r#"
import sys
import segment.analytics as analytics
analytics.write_key, analytics.host, analytics.gzip = "key", sys.argv[1], True
analytics.on_error = lambda error, items: sys.exit(f"{error} {items}")
analytics.identify("py-user", {"plan": "pro", "email": "a@b.example"})
analytics.track("py-user", "Order Completed", {"order_id": "py-1", "revenue": 12.5, "currency": "EUR"})
analytics.track("py-user", "Signed Up")
analytics.shutdown()
print("sent")
"#;

/// The same in JavaScript.
const SEGMENT_JS: &str = r#"
const { Analytics } = require("@segment/analytics-node");
const analytics = new Analytics({ writeKey: "key", host: process.argv[2] });
analytics.on("error", (error) => { console.error(error); process.exit(1); });
analytics.identify({ userId: "js-user", traits: { plan: "free" } });
analytics.track({ userId: "js-user", event: "Order Completed", properties: { order_id: "js-1", revenue: 7, currency: "EUR" } });
analytics.page({ userId: "js-user", name: "Home" });
analytics.closeAndFlush().then(() => console.log("sent"));
"#;

/// Sends an order in each mode, with the headers that the SDK gives and no others; the account is one that headers cannot
/// hold as it is.
const SEND_PY: &str = r#"
import sys, http.client, urllib.parse
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

def event(id, account):
    attributes = {"id": id, "source": "py", "type": "order.completed", "specversion": "1.0", "account": account}
    return CloudEvent(attributes, {"order": id, "gross": 700, "currency": "USD"})

url = urllib.parse.urlparse(sys.argv[1])
for message in [to_binary_event(event("py 1%", "M\u00fcller \u20ac")), to_structured_event(event("py 2", "M\u00fcller \u20ac"))]:
    connection = http.client.HTTPConnection(url.netloc)
    connection.request("POST", url.path, message.body, message.headers)
    print(connection.getresponse().status)
"#;

/// As its README does: `emitterFor` sends in binary mode unless told otherwise.
const SEND_JS: &str = r#"
const { CloudEvent, emitterFor, httpTransport, Mode } = require("cloudevents");
const send = (id, mode) => {
    const event = new CloudEvent({
        id, source: "js", type: "order.completed", account: "js-account",
        data: { order: id, gross: 900, currency: "USD" },
    });
    return emitterFor(httpTransport(process.argv[2]), mode ? { mode } : undefined)(event);
};
(async () => {
    for (const answer of [await send("js 1"), await send("js 2", Mode.STRUCTURED)]) console.log(answer.body.trim());
})();
"#;

/// The folder of an SDK, installed; none where that is not possible.
pub(crate) fn sdk(name: &str, install: impl Fn(&Path) -> Command) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.join("installed").exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).unwrap();
    let why = match install(&folder).output() {
        Ok(done) if done.status.success() => {
            fs::write(folder.join("installed"), "").unwrap();
            return Some(folder);
        }
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(env::var_os("CI").is_none(), "the SDK {name} is needed in CI: {why}");
    eprintln!("SKIPPED: no SDK {name}, so this test shows nothing: {why}");
    None
}

/// Runs a program that sends; returns what it printed.
pub(crate) fn sends(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// (id, account, gross) of every event in the log, sorted.
fn logged(data: &Data) -> Vec<(String, String, i64)> {
    let lines = data.run(["events"]).done().out;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        (text(&event["id"]), text(&event["account"]), event["data"]["gross"].as_i64().unwrap())
    };
    let mut events: Vec<_> = lines.lines().map(one).collect();
    events.sort();
    events
}

/// Installs a package of Python into a folder.
pub(crate) fn pip(package: &'static str) -> impl Fn(&Path) -> Command {
    move |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(folder)
            .arg(package);
        pip
    }
}

/// Installs a package of Node.js below a folder.
fn npm(package: &'static str) -> impl Fn(&Path) -> Command {
    move |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder).arg(package);
        npm
    }
}

#[test]
fn the_python_sdk_is_understood_in_both_modes() {
    let Some(folder) = sdk("python-cloudevents-2.2.0", pip(PYTHON)) else { return };
    let data = Data::new();
    let door = Door::open(&data);
    let script = data.file("send.py", SEND_PY);
    let url = format!("http://{}/v1/events", door.address);
    assert_eq!(sends(Command::new("python3").arg(script).arg(url).env("PYTHONPATH", &folder)), "200\n200\n");
    assert!(door.stop().success());
    let account = "M\u{fc}ller \u{20ac}";
    let expected = ["py 1%", "py 2"].map(|id| (id.to_owned(), account.to_owned(), 700));
    assert_eq!(logged(&data), expected);
    let value = data.run(["query", "account_value", "--account", account, "--format", "json"]).done().out;
    assert!(value.contains("\"value\":1400"), "both are of one account: {value}");
}

#[test]
fn the_javascript_sdk_is_understood_in_both_modes() {
    let Some(folder) = sdk("javascript-cloudevents-10.0.0", npm(JAVASCRIPT)) else { return };
    let data = Data::new();
    let door = Door::open(&data);
    let script = data.file("send.js", SEND_JS);
    let url = format!("http://{}/v1/events", door.address);
    let said = sends(Command::new("node").arg(script).arg(url).env("NODE_PATH", folder.join("node_modules")));
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let accepted = |id: &str| json!([{"index": 0, "id": id, "status": "accepted"}]);
    assert_eq!(
        answers.iter().map(|answer| &answer["results"]).collect::<Vec<_>>(),
        [&accepted("js 1"), &accepted("js 2")]
    );
    assert!(door.stop().success());
    let expected = ["js 1", "js 2"].map(|id| (id.to_owned(), "js-account".to_owned(), 900));
    assert_eq!(logged(&data), expected);
}

#[test]
fn the_libraries_of_segment_need_another_address_only() {
    let python = sdk("python-segment-2.4.0", pip(SEGMENT_PYTHON));
    let javascript = sdk("javascript-segment-3.1.0", npm(SEGMENT_JAVASCRIPT));
    let (Some(python), Some(javascript)) = (python, javascript) else { return };
    let data = Data::new();
    let door = Door::open(&data);
    let url = format!("http://{}", door.address);
    let script = data.file("send.py", SEGMENT_PY);
    assert_eq!(sends(Command::new("python3").arg(script).arg(&url).env("PYTHONPATH", &python)), "sent\n");
    let script = data.file("send.js", SEGMENT_JS);
    let modules = javascript.join("node_modules");
    assert_eq!(sends(Command::new("node").arg(script).arg(&url).env("NODE_PATH", modules)), "sent\n");
    assert!(door.stop().success());

    let lines = data.run(["events"]).done().out;
    let one = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        format!("{} {} {}", event["account"], event["type"], event["data"]).replace('"', "")
    };
    let mut events: Vec<String> = lines.lines().map(one).collect();
    events.sort();
    assert_eq!(
        events,
        [
            "js-user account.updated {traits:{custom:{id:js-user},plan:free}}",
            "js-user order.completed {currency:EUR,discount:0,gross:700,order:js-1}",
            "js-user usage.recorded {count:1,name:page Home,user:js-user}",
            "py-user account.updated {traits:{custom:{email:a@b.example,id:py-user},plan:pro}}",
            "py-user order.completed {currency:EUR,discount:0,gross:1250,order:py-1}",
            "py-user usage.recorded {count:1,name:Signed Up,user:py-user}",
        ]
    );
}
