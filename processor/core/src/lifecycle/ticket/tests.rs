//! What tickets add, case by case.

use super::*;
use crate::{
    calendar::{DAY, SECOND},
    catalog::Catalog,
    lifecycle::golden,
    plan::Plan,
    settings::Settings,
};

const CATALOG: &str = "
meaningful: [customer_contact]
metrics:
  - name: tickets
    title: Tickets
    description: Every fact of tickets.
    unit: count
    windows: [1d]
    measures:
      a_opened: {count: ticket.opened}
      b_contacts: {count: customer_contact}
      c_answered: {count: ticket_answered}
      d_hours: {sum: ticket_answered, of: elapsed}
      e_solved: {count: ticket_solved}
      f_first: {count: ticket_solved, where: first_contact}
      g_waiting: {level: ticket_waiting}
      h_open: {level: tickets_open}
    value: a_opened + b_contacts + c_answered + d_hours + e_solved + f_first + g_waiting + h_open
";

/// An event from `HOURS TICKET WHAT TOPIC`; ids go by the place in the script.
fn event(line: &&'static str) -> Event<'static> {
    let mut words = line.split_whitespace();
    let hours: Time = words.next().unwrap().parse().unwrap();
    let (ticket, what) = (words.next().unwrap(), words.next().unwrap());
    let topic = words.next().unwrap_or_default();
    let (kind, data) = match what {
        "opened" => (OPENED, vec![(3, topic)]),
        "opened-by-agent" => (OPENED, vec![(3, topic), (5, "agent")]),
        "customer" | "bot" => (MESSAGE, vec![(2, what)]),
        "agent" => (MESSAGE, vec![(2, "agent")]),
        "agent-privately" => (MESSAGE, vec![(2, "agent"), (3, "?0")]),
        "customer-privately" => (MESSAGE, vec![(2, "customer"), (3, "?0")]),
        status => (STATUS, vec![(2, status)]),
    };
    let fields: Vec<(u32, &str)> = data.into_iter().chain([(1, ticket)]).collect();
    golden::event(0, hours, kind, &fields)
}

/// What a script adds to each day: the columns that are not 0.
fn days(script: &[&'static str]) -> Vec<String> {
    let plan = Plan::lower(&Catalog::parse(CATALOG).unwrap(), &Settings::default()).unwrap();
    let (_, rows) = golden::run(plan, script.iter().map(event).collect(), 1000);
    let names = ["opened", "contacts", "answered", "hours", "solved", "first", "waiting", "open"];
    let shown = |(name, sum): (&str, i128)| {
        let sum = if name == "hours" { sum / i128::from(3600 * SECOND) } else { sum };
        (sum != 0).then(|| format!("{name} {sum}"))
    };
    let mut days = Vec::new();
    for ((_, slice), row) in rows {
        let columns: Vec<String> = names.into_iter().zip(row.iter().copied()).filter_map(shown).collect();
        if !columns.is_empty() {
            days.push(format!("{}: {}", slice / DAY, columns.join(", ")));
        }
    }
    days
}

#[test]
fn what_tickets_add_to_their_days() {
    let cases: &[(&str, &[&'static str], &[&str])] = &[
        (
            "bots and private messages are no answer",
            &["0 t opened", "1 t bot", "2 t agent-privately", "3 t agent", "4 t agent"],
            &["0: opened 1, contacts 1, answered 1, hours 3, open 1"],
        ),
        (
            "the second message answers a ticket of an agent",
            &["0 t opened-by-agent", "0 t agent", "5 t agent"],
            &["0: opened 1, answered 1, hours 5, open 1"],
        ),
        (
            "one instant: the message has the lesser id",
            &["0 t agent", "0 t opened-by-agent", "5 t agent"],
            &["0: opened 1, answered 1, hours 5, open 1"],
        ),
        (
            "before the opening is nothing",
            &["0 t agent", "1 t opened", "30 u solved"],
            &["0: opened 1, contacts 1, waiting 1, open 1"],
        ),
        ("opened twice is one", &["0 t opened", "30 t opened"], &["0: opened 1, contacts 1, waiting 1, open 1"]),
        (
            "a private message of the customer is a contact",
            &["0 t opened", "25 t customer-privately"],
            &["0: opened 1, contacts 1, waiting 1, open 1", "1: contacts 1"],
        ),
        (
            "the answer comes after the solve",
            &["0 t opened", "24 t solved", "48 t agent"],
            &[
                "0: opened 1, contacts 1, waiting 1, open 1",
                "1: solved 1, first 1, waiting -1, open -1",
                "2: answered 1, hours 48",
            ],
        ),
        (
            "two messages up to the solve, its instant included, are no first contact",
            &["0 t opened", "1 t agent", "24 t solved", "24 t agent"],
            &["0: opened 1, contacts 1, answered 1, hours 1, open 1", "1: solved 1, open -1"],
        ),
        (
            "solved once, at the first; closed is no second",
            &["0 t opened", "1 t agent", "24 t solved", "48 t open", "72 t solved", "96 t closed"],
            &[
                "0: opened 1, contacts 1, answered 1, hours 1, open 1",
                "1: solved 1, first 1, open -1",
                "2: open 1",
                "3: open -1",
            ],
        ),
        (
            "closed counts while there is no solve",
            &["0 t opened", "24 t closed", "48 t open", "72 t solved"],
            &[
                "0: opened 1, contacts 1, waiting 1, open 1",
                "1: waiting -1, open -1",
                "2: waiting 1, open 1",
                "3: solved 1, first 1, waiting -1, open -1",
            ],
        ),
        ("closed alone", &["0 t opened", "1 t closed"], &["0: opened 1, contacts 1, solved 1, first 1"]),
        (
            "reopened within seven days, inclusive",
            &["0 t opened", "1 t solved", "169 t reopened"],
            &["0: opened 1, contacts 1, solved 1", "7: waiting 1, open 1"],
        ),
        (
            "reopened later",
            &["0 t opened", "1 t solved", "170 t reopened"],
            &["0: opened 1, contacts 1, solved 1, first 1", "7: waiting 1, open 1"],
        ),
        (
            "a new ticket of the topic, though an agent opened it and it is merged",
            &["0 t opened x", "1 t solved", "169 u opened-by-agent x", "169 u merged"],
            &["0: opened 1, contacts 1, solved 1", "7: opened 1"],
        ),
        (
            "of another topic, or at the instant of the solve",
            &["0 t opened x", "1 t solved", "1 u opened x", "2 v opened y"],
            &["0: opened 3, contacts 3, solved 1, first 1, waiting 2, open 2"],
        ),
        (
            "merged is no solve",
            &["0 t opened", "1 t solved", "48 t merged", "49 t solved"],
            &["0: opened 1, contacts 1"],
        ),
    ];
    for (case, script, expected) in cases {
        assert_eq!(days(script), *expected, "{case}");
    }
}

#[test]
fn what_is_over_is_forgotten_and_found_again() {
    let spoilt = days(&["0 t opened x", "1 t agent", "2 t solved", "960 u opened y", "961 t reopened", "962 t solved"]);
    assert_eq!(
        spoilt,
        [
            "0: opened 1, contacts 1, answered 1, hours 1, solved 1, first 1",
            "40: opened 1, contacts 1, waiting 1, open 1",
        ]
    );
}
