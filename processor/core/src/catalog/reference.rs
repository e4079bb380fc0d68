//! The tables of metrics in `docs/metrics.md` are written from the built-in catalog, and the packs beside it are parts of it.
//!
//! `UPDATE_REFERENCE=1 cargo test --release -p processor-core reference` renews the page.

use std::{fmt::Write as _, path::Path};

use super::{BUILT_IN, Catalog, Direction, Group};
use crate::{plan::Plan, settings::Settings};

const BEGIN: &str = "<!-- metrics: written by a test from crm.yaml -->\n";
const END: &str = "<!-- end of metrics -->\n";

fn tables(plan: &Plan) -> String {
    let mut out = String::new();
    for group in Group::ALL {
        let name = group.to_string();
        let (first, rest) = name.split_at(1);
        write!(
            out,
            "\n### {}{rest}\n\n| metric | definition | good | unit |\n|---|---|---|---|\n",
            first.to_uppercase()
        )
        .unwrap();
        for metric in plan.metrics.iter().filter(|metric| metric.people.group == Some(group)) {
            let good = metric.people.direction.map_or("", |direction| match direction {
                Direction::Up => "more",
                Direction::Down => "less",
            });
            let description = metric.description.trim_end().replace('|', "\\|");
            writeln!(out, "| `{}` | {description} | {good} | {} |", metric.name, metric.unit).unwrap();
        }
    }
    out.push('\n');
    out
}

fn plan(text: &str) -> Plan {
    Plan::lower(&Catalog::parse(text).unwrap(), &Settings::default()).unwrap()
}

#[test]
fn the_reference_of_metrics_lists_the_catalog() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    let tables = tables(&plan(BUILT_IN));
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(kept, tables, "crm.yaml has changed: run with UPDATE_REFERENCE=1");
}

#[test]
fn every_built_in_metric_tells_people_where_it_belongs_and_what_to_do() {
    for metric in plan(BUILT_IN).metrics {
        let people = &metric.people;
        assert!(people.group.is_some() && people.format.is_some(), "{}", metric.name);
        assert!(people.moves.as_ref().is_some_and(|moves| !moves.is_empty()), "{}", metric.name);
    }
}

#[test]
fn the_packs_have_metrics_of_the_built_in_catalog() {
    let built_in = plan(BUILT_IN).metrics;
    for pack in ["shop", "subscription", "support", "sales"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/catalogs/{pack}.yaml"));
        let metrics = plan(&std::fs::read_to_string(&path).unwrap()).metrics;
        assert!(metrics.len() > 10, "{pack}");
        for metric in metrics {
            let known = built_in.iter().find(|known| known.name == metric.name);
            let known = known.unwrap_or_else(|| panic!("{pack}: {} is none of crm.yaml", metric.name));
            // The definition leaves out what is for people and where rows lie.
            assert_eq!(known.render(), metric.render(), "{pack}");
            assert_eq!(known.people.moves, metric.people.moves, "{pack}: {}", metric.name);
            assert_eq!(known.description, metric.description, "{pack}: {}", metric.name);
        }
    }
}
