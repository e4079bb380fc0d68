//! Survey forms: a link is made, a page is read, an answer is posted as a browser posts it, and the metric has it.

use serde_json::Value;

use crate::{
    data::Data,
    http::{Answer, Door},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// The path of a link that `vitals forms link` prints.
fn path_of(link: &str) -> &str {
    &link[link.find("/f/").unwrap()..]
}

fn link(data: &Data, flags: &[&str]) -> String {
    let made = data.run([&["forms", "link"], flags].concat()).done().out;
    path_of(made.trim()).to_owned()
}

/// Posts the fields of a form, with more headers.
fn post(door: &Door, path: &str, headers: &str, body: &str) -> Answer {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    door.raw(format!("{head}{headers}\r\n{body}").as_bytes())
}

fn send(door: &Door, path: &str, body: &str) -> Answer {
    post(door, path, &format!("content-type: {FORM}\r\norigin: http://localhost\r\n"), body)
}

/// The name of this showing of a page.
fn view(page: &Answer) -> &str {
    let (_, rest) = page.body.split_once("name=\"view\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}

/// The answers of the log.
fn answers(data: &Data) -> Vec<Value> {
    let lines = data.run(["events"]).done().out;
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["type"] == "survey.answered").collect()
}

#[test]
fn an_answer_by_a_link_is_an_event_and_moves_the_metric() {
    let data = Data::new();
    // Before the first door: the key is made by whoever needs it first.
    let nps = link(&data, &["--kind", "nps", "--account", "acme", "--respondent", "kim", "--survey", "q4"]);
    let door = Door::open(&data);
    let page = door.get(&format!("{nps}?score=9&lang=ja"));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(
        page.body.contains("lang=\"ja\"") && page.body.contains("value=\"9\" aria-label=\"9\" required checked"),
        "{page:?}"
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("set-cookie"), None);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors *") && !policy.contains("unsafe"), "{policy}");

    // Twice by a double click, then another mind.
    let body = format!("score=9&comment=%3Cb%3Egood%3C%2Fb%3E+%E2%80%AE&view={}", view(&page));
    for _ in 0..2 {
        let thanks = send(&door, &nps, &body);
        assert!(thanks.status == 200 && !thanks.body.contains("<form"), "{thanks:?}");
    }
    let again = door.get(&nps);
    assert_ne!(view(&again), view(&page));
    assert_eq!(send(&door, &nps, &format!("score=3&view={}", view(&again))).status, 200);
    assert!(door.stop().success());

    let events = answers(&data);
    assert_eq!(events.len(), 3, "one is a duplicate: {events:#?}");
    assert!(
        events.iter().all(|event| event["account"] == "acme" && event["data"]["respondent"] == "kim"),
        "{events:#?}"
    );
    assert_eq!(events[0]["data"]["comment"], "<b>good</b> \u{202e}");
    let rows = data.run(["query", "nps", "--window", "1y", "--format", "json"]).done().out;
    let row: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&row["value"], &row["den"]),
        (&Value::from(-100.0), &Value::from(1)),
        "the latest answer counts: {row}"
    );
}

#[test]
fn what_is_no_answer_and_no_link_is_said_in_the_readers_language() {
    let data = Data::new();
    let csat = link(&data, &["--kind", "csat", "--account", "acme", "--lang", "id"]);
    let ended = link(&data, &["--kind", "ces", "--account", "acme", "--expires", "1s"]);
    let door = Door::open(&data);
    let missing = send(&door, &csat, "comment=%22%3E%3Cscript%3E&view=1");
    assert_eq!(missing.status, 422);
    assert!(missing.body.contains("Pilih angka") && missing.body.contains("&lt;script&gt;"), "{missing:?}");
    assert_eq!(send(&door, &csat, "score=6&view=1").status, 422);
    let forged = door.get(&format!("{csat}A"));
    assert!(forged.status == 404 && forged.body.contains("This link is not valid"), "{forged:?}");
    assert_eq!((door.get("/f/%00..%2f").status, door.get("/f/%ff").status), (404, 400));
    door.until("ended", |door| door.get(&ended).status == 410);

    assert_eq!(post(&door, &csat, "content-type: application/json\r\n", "{}").status, 415);
    assert_eq!(
        post(&door, &csat, &format!("content-type: {FORM}\r\norigin: http://evil.example\r\n"), "score=1").status,
        403
    );
    assert_eq!(send(&door, &csat, &format!("score=1&comment={}", "a".repeat(100_000))).status, 413);
    let mut last = 0;
    for view in 0..20 {
        last = send(&door, &csat, &format!("score=5&view={view}")).status;
    }
    assert_eq!(last, 429, "a link takes ten answers a minute");
    assert!(door.stop().success());
    assert!(answers(&data).iter().all(|event| event["data"]["score"] == "5" || event["data"]["score"] == 5));
}

#[test]
fn links_of_a_file_and_for_each_score() {
    let data = Data::new().config("[forms]\naddress = \"https://surveys.example.com/v/\"\n");
    let file = data.file("customers.csv", "account,respondent,plan\nacme,kim,pro\n\"globex, inc\",lee,free\n");
    let run = data.run([
        "forms".as_ref(),
        "link".as_ref(),
        "--kind".as_ref(),
        "csat".as_ref(),
        "--scores".as_ref(),
        "--csv".as_ref(),
        file.as_os_str(),
    ]);
    let out = run.done().out;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "account,respondent,plan,link_1,link_2,link_3,link_4,link_5");
    assert!(lines[2].starts_with("\"globex, inc\",lee,free,https://surveys.example.com/v/f/"), "{out}");
    assert!(lines[1].ends_with("?score=5"), "{out}");

    let wrong = data.file("wrong.csv", "name\nacme\n");
    let run = data.run([
        "forms".as_ref(),
        "link".as_ref(),
        "--kind".as_ref(),
        "nps".as_ref(),
        "--csv".as_ref(),
        wrong.as_os_str(),
    ]);
    assert!(run.code == Some(2) && run.err.contains("no column account; there are name"), "{run:?}");
    let run = data.run(["forms", "link", "--kind", "nps", "--account", "acme", "--expires", "soon"]);
    assert!(run.code == Some(2) && run.err.contains("--expires: is \"soon\", expected a span such as 90d"), "{run:?}");
}
