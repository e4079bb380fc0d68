//! The page of an account: what its score was made of, what it rests on and why it changed, by what the stages keep; the same
//! that `vitals explain` reads out of the log, of merged accounts too.

use serde_json::Value;

use super::{api, json, served};
use crate::{data::Data, http::Door};

/// Names of all accounts.
fn names(door: &Door) -> Vec<String> {
    let page = json(door, "/accounts?limit=1000");
    page["accounts"].as_array().unwrap().iter().map(|of| of["account"].as_str().unwrap().to_owned()).collect()
}

/// Points in tenths, which are whole.
fn tenths(points: &Value) -> f64 {
    (points.as_f64().unwrap_or(0.0) * 10.0).round()
}

/// What the command says, which reads the log.
fn by_log(data: &Data, account: &str, at: &str, since: &str) -> Value {
    let run = data.run(["explain", account, "--json", "--at", at, "--since", since]).done();
    serde_json::from_str(&run.out).unwrap()
}

/// Explains a change of half a year by the stages and by the log.
fn compare(data: &Data, door: &Door, account: &str) -> Value {
    let now = json(door, &format!("/accounts/{account}/explain"));
    let at = now["at"].as_str().unwrap();
    let since: jiff::Timestamp = at.parse().unwrap();
    let since = (since - jiff::SignedDuration::from_hours(180 * 24)).to_string();
    let found = json(door, &format!("/accounts/{account}/explain?at={at}&since={since}"));
    assert_eq!(found, by_log(data, account, at, &since), "{account}");
    let parts = found["parts"].as_array().unwrap().iter();
    let by = parts.flat_map(|part| part["by"].as_object().unwrap().values()).map(|tenths| tenths.as_i64().unwrap());
    assert_eq!(by.sum::<i64>(), found["change"].as_i64().unwrap(), "{account}: the parts add up to the change");
    found
}

#[test]
fn its_parts_are_those_of_the_score_then_and_now() {
    let (data, door) = served();
    let (mut compared, mut explained) = (0, 0);
    for (at, name) in names(&door).iter().enumerate() {
        let page = json(&door, &format!("/accounts/{name}"));
        let parts = page["contributions"].as_array().unwrap();
        for part in parts {
            assert!(!part["inputs"].as_str().unwrap().is_empty(), "{name}: {part}");
            assert_eq!(part["points"].is_null(), part["input"]["value"].is_null(), "{name}: {part}");
        }
        let (row, before) = (&page["row"], parts.iter().map(|part| tenths(&part["before"])).sum::<f64>());
        if !row["score"].is_null() && !row["score_before"].is_null() {
            assert_eq!(before, tenths(&row["score_before"]), "{name}: {page}");
            compared += 1;
        }
        let facts: Vec<&str> =
            page["facts"].as_array().unwrap().iter().map(|fact| fact["name"].as_str().unwrap()).collect();
        assert!(row["score"].is_null() || facts.contains(&"customer"), "{name}: {facts:?}");
        if at % 6 == 0 {
            compare(&data, &door, name);
            explained += 1;
        }
    }
    assert!(compared > 20 && explained > 5, "{compared}, {explained}");
}

#[test]
fn what_comes_in_is_there_at_once_and_a_merged_account_has_the_events_of_both() {
    let (data, door) = served();
    let names = names(&door);
    let (one, other) = (&names[0], &names[1]);
    let events = |account: &str| json(&door, &format!("/accounts/{account}/events?limit=1000"))["events"].clone();
    let (mine, theirs) = (events(one).as_array().unwrap().len(), events(other).as_array().unwrap().len());
    let order = serde_json::json!({"id": "n-1", "type": "order.completed", "account": one,
        "data": {"order": "n-1", "gross": 100, "currency": "EUR"}});
    assert_eq!(door.send(&[order]).status, 200);
    assert_eq!(events(one)[0]["id"], "n-1", "it is not in a state yet");

    let link = serde_json::json!({"id": "n-2", "type": "identity.linked", "account": other, "data": {"from": other, "to": one}});
    assert_eq!(door.send(&[link]).status, 200);
    let aliases = |door: &Door| json(door, &format!("/accounts/{one}"))["aliases"].clone();
    door.until("merged", |door| aliases(door) == serde_json::json!([other]));
    let all = events(one);
    assert_eq!(all.as_array().unwrap().len(), mine + theirs + 2);
    assert_eq!(events(other), all, "it counts as the other one");
    let explained = compare(&data, &door, other);
    assert_eq!((&explained["account"], &explained["asked"]), (&serde_json::json!(one), &serde_json::json!(other)));
    let firsts = json(&door, &format!("/accounts/{one}/events?limit=3"));
    let next = firsts["next"].as_str().unwrap();
    let then = json(&door, &format!("/accounts/{one}/events?limit=3&cursor={next}"));
    assert_eq!(
        firsts["events"].as_array().unwrap().iter().chain(then["events"].as_array().unwrap()).collect::<Vec<_>>(),
        all.as_array().unwrap().iter().take(6).collect::<Vec<_>>()
    );
    assert_eq!(api(&door, "/accounts/nobody/events").json()["events"], serde_json::json!([]));
}
