//! Receivers that fail, and a notifier that is killed.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use super::{everything, orders, receiver::Receiver, silent};
use crate::{data::Data, http::Door};

/// (reason, stage) of every dead letter.
fn dead(data: &Data) -> Vec<(String, String)> {
    let log =
        eventlog::embedded::Embedded::follow(data.path().join("log"), eventlog::embedded::Config::default()).unwrap();
    let letters = eventlog::past(log.as_ref(), "dead-letters.v1", 0, 0).unwrap();
    let letters = letters.filter_map(|stored| task::dead::detail(&stored.unwrap().record));
    letters.map(|letter| (letter.stage, letter.reason)).collect()
}

#[test]
fn receivers_that_fail_hang_redirect_or_want_time_delay_nobody() {
    let good = Receiver::new();
    let broken = Receiver::answering(|number| Some(if number < 2 { "500 Broken" } else { "200 OK" }));
    let busy = Receiver::answering(|number| {
        Some(if number == 0 { "429 Too Many Requests\r\nretry-after: 3" } else { "200 OK" })
    });
    let away = Receiver::answering(|_| Some("302 Found\r\nlocation: http://169.254.169.254/latest/meta-data/"));
    let hangs = Receiver::answering(|number| (number > 0).then_some("200 OK"));
    let hook = |name: &str, url: &str, more: &str| format!("  - {{name: {name}, webhook: {{url: '{url}'}}{more}}}\n");
    let allowed = ", allow_private: true";
    let yaml = [
        hook("hangs", &hangs.url(), ", allow_private: true, timeout: 2s"),
        hook("broken", &broken.url(), allowed),
        hook("busy", &busy.url(), allowed),
        hook("away", &away.url(), allowed),
        hook("inside", &good.url(), ""),
        hook("named", &good.url().replace("127.0.0.1", "localhost"), ""),
        hook("metadata", "http://[::ffff:169.254.169.254]/latest", ""),
        hook("good", &good.url(), allowed),
    ]
    .concat();
    let names = ["hangs", "broken", "busy", "away", "inside", "named", "metadata", "good"];
    let data = silent(&["acme"], &everything(&names, &yaml));
    let door = Door::start(&data);
    let ids = |receiver: &Receiver, count| {
        let got = receiver.wait(count);
        got.iter().map(|got| got.header("webhook-id").to_owned()).collect::<Vec<_>>()
    };
    good.wait(1);
    let tried = ids(&broken, 3);
    assert_eq!(tried, vec![tried[0].clone(); 3], "the same message");
    let waited = busy.wait(2);
    let pause = waited[1].at.duration_since(waited[0].at);
    assert!(pause >= Duration::from_millis(2_900), "Retry-After was 3 s, it came after {pause:?}");
    let tried = ids(&hangs, 2);
    assert_eq!(tried[0], tried[1]);

    let begun = Instant::now();
    while dead(&data).len() < 4 {
        assert!(begun.elapsed() < crate::http::PATIENCE, "{:?}", dead(&data));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut letters = dead(&data);
    letters.sort();
    let expected = [
        ("notify away", "redirects are not followed"),
        ("notify inside", "loopback"),
        ("notify metadata", "link-local"),
        ("notify named", "loopback"),
    ];
    for ((stage, reason), (receiver, why)) in letters.iter().zip(expected) {
        assert!(stage == receiver && reason.contains(why), "{letters:?}");
    }
    assert_eq!((away.all().len(), good.all().len()), (1, 1), "a dead letter is not sent again");
    orders(&door, "acme");
    good.wait(2);
    assert!(door.stop().success());
}

#[test]
fn a_notifier_that_is_killed_before_or_after_it_sends_sends_again_with_the_same_id() {
    let receiver = Receiver::new();
    let hook = format!("  - {{name: hook, webhook: {{url: '{}'}}, allow_private: true}}\n", receiver.url());
    let data = silent(&["acme"], &everything(&["hook"], &hook));
    for (place, sent) in [("notify-due", 0), ("notify-sent", 1)] {
        let mut command = data.command(["ingest", "--listen", "127.0.0.1:0"]);
        // The first one passes before anything is due.
        let times = if sent == 0 { ":1" } else { "" };
        let mut child = command
            .env("VITALS_ABORT_AT", format!("{place}{times}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(!child.wait().unwrap().success(), "it was to abort at {place}");
        assert!(receiver.all().len() <= sent, "{} at {place}", receiver.all().len());
    }
    let door = Door::start(&data);
    let got = receiver.wait(2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].body, got[1].body);
    orders(&door, "acme");
    let got = receiver.wait(3);
    assert_eq!(got[2].json()["status"], "resolved");
    assert!(door.stop().success());
    assert_eq!(receiver.all().len(), 3);
}
