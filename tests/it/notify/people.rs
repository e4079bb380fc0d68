//! What people do: silences, tests of receivers, checks of the configuration. And what they must never see: secrets.

use std::time::Duration;

use super::{everything, receiver::Receiver, silent};
use crate::{data::Data, http::Door};

#[test]
fn a_silence_is_an_event_of_the_log_with_and_without_a_live_process() {
    let receiver = Receiver::new();
    let hook = format!("  - {{name: hook, webhook: {{url: '{}'}}, allow_private: true}}\n", receiver.url());
    let data = silent(&["acme"], &everything(&["hook"], &hook));
    let added = data
        .run(["silence", "add", "--matcher", "account=acme", "--for", "2h", "--by", "anna", "--comment", "known"])
        .done();
    let id = added.out.split(' ').nth(1).unwrap().to_owned();
    data.run(["silence", "list"]).done().says(&[&id, "account=acme", "anna", "known"]);
    let door = Door::open(&data);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.all().len(), 0, "it is silenced");
    let address = door.address.to_string();
    data.run(["silence", "end", &id, "--door", &address]).done().says(&["is over"]);
    receiver.wait(1);
    data.run(["silence", "list"]).done().says(&["no silences"]);
    data.run(["silence", "end", "nonsense", "--door", &address]).fails(2, &["there is no silence nonsense"]);
    data.run(["ack", "nonsense", "--door", &address]).fails(2, &["there is no alert nonsense"]);
    data.run(["silence", "add", "--matcher", "a", "--for", "2h"]).fails(2, &["`a` is no matcher"]);
    data.run(["notify", "list"]).done().says(&["hook", "silent_90d"]);
    assert!(door.stop().success());
}

#[test]
fn a_receiver_is_tested_and_no_secret_is_shown() {
    const CANARY: &str = "canary-5e2b7c";
    let receiver = Receiver::answering(|number| Some(if number == 0 { "200 OK" } else { "404 Not Found" }));
    let url = format!("{}/{CANARY}", receiver.url());
    let data = Data::new();
    let token = data.file("token", format!("{CANARY}\n"));
    let yaml = format!(
        "route: {{receiver: team}}\nreceivers:\n  - {{name: team, slack: {{url_env: VITALS_TEST_CANARY}}, allow_private: true}}\n  - {{name: down, webhook: {{url: 'http://127.0.0.1:1/{CANARY}', token_file: {}}}, allow_private: true}}\n",
        token.display()
    );
    let file = data.file("notify.yaml", yaml);
    let run = |arguments: &[&str]| {
        let mut command = data.command(arguments.iter().chain(&["--file", file.to_str().unwrap()]));
        let output = command.env("VITALS_TEST_CANARY", &url).env("RUST_LOG", "trace").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains(CANARY), "a secret is shown: {text}");
        (output.status.code(), text)
    };
    let (code, text) = run(&["notify", "test", "team"]);
    assert_eq!((code, text.contains("team answered 200 OK: ok")), (Some(0), true), "{text}");
    assert!(receiver.wait(1)[0].body.contains("[TEST]"));
    let (code, text) = run(&["notify", "test", "team"]);
    assert_eq!((code, text.contains("404 Not Found")), (Some(1), true), "{text}");
    let (code, text) = run(&["notify", "test", "down"]);
    assert_eq!((code, text.contains("refused")), (Some(1), true), "{text}");
    let (code, text) = run(&["notify", "test", "nobody"]);
    assert_eq!((code, text.contains("there are down, team")), (Some(2), true), "{text}");
}

#[test]
fn the_example_is_right_and_a_mistake_is_shown_in_its_place() {
    let data = Data::new();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/notify/example.yaml");
    data.run(["notify", "check", example.to_str().unwrap()]).done().says(&["is right: 4 receivers"]);
    let wrong = data.file(
        "wrong.yaml",
        "route: {receiver: hok}\nreceivers:\n  - name: hook\n    webhook: {url: 'https://a.example'}\n",
    );
    data.run(["notify", "check", wrong.to_str().unwrap()])
        .fails(2, &["wrong.yaml:1:19: there is no receiver `hok`", "help: there are hook"]);
}
