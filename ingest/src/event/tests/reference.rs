//! The table of types in `docs/events.md` is written from the vocabulary.
//!
//! `UPDATE_REFERENCE=1 cargo test --release -p ingest reference` renews it.

use std::path::Path;

use proto::vocabulary::{Field, Fill, Kind, Need, TYPES, Type};

const BEGIN: &str = "<!-- types: written by a test from event.proto -->\n";
const END: &str = "<!-- end of types -->\n";

fn table() -> String {
    let row = |kind: &Type| format!("| `{}` | {} |\n", kind.name, fields(kind.fields));
    format!("\n| type | data |\n|---|---|\n{}\n", TYPES.iter().map(row).collect::<String>())
}

/// Required ones first. After a list of values a semicolon follows.
fn fields(fields: &[Field]) -> String {
    let (needed, others): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.need == Need::Required);
    let mut out = String::new();
    for field in needed.into_iter().chain(others) {
        if !out.is_empty() {
            out.push_str(if out.ends_with(';') { " " } else { ", " });
        }
        out.push_str(&one(field));
    }
    out.trim_end_matches(';').to_owned()
}

fn one(field: &Field) -> String {
    let name = if field.need == Need::Required { format!("**{}**", field.name) } else { field.name.to_owned() };
    let note = match (field.fill, field.need) {
        (Fill::Default(text), _) => format!(" (default {text})"),
        (Fill::EventId, _) => " (default: the event's id)".to_owned(),
        (_, Need::With(other)) => format!(" (with {other})"),
        _ => String::new(),
    };
    match field.kind {
        Kind::OneOf(values) => format!("{name}: {}{note};", values.join(", ")),
        Kind::List(items) => format!("{name}: [{{{}}}]", fields(items)),
        Kind::Traits => format!("{name}: {{plan, segment, region, ...}}"),
        Kind::Texts => format!("{name}: {{NAME: VALUE, ...}}"),
        _ => format!("{name}{note}"),
    }
}

#[test]
fn the_reference_of_events_lists_the_vocabulary() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(kept, table, "event.proto has changed: run with UPDATE_REFERENCE=1");
}
