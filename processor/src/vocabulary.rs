//! The numbers of the vocabulary that the engine knows (`processor/core/src/vocabulary.rs`) are those of the table.
//!
//! `UPDATE_VOCABULARY=1 cargo test --release -p processor vocabulary` renews them after a change of `event.proto`.

use std::fmt::Write as _;

use proto::vocabulary::{Field, Kind, TYPES};

const HEAD: &str = "\
//! The vocabulary in numbers: each type of event with the numbers of its fields, for [`crate::event::Fields`].
//!
//! Generated from `event.proto`, which says what each field is. After a change there,
//! `UPDATE_VOCABULARY=1 cargo test --release -p processor vocabulary` renews it.

#![expect(missing_docs, reason = \"generated; the messages of event.proto say what each field is\")]

";

fn source() -> String {
    let mut out = HEAD.to_owned();
    let mut types: Vec<(&str, u32)> = TYPES.iter().map(|kind| (kind.name, kind.number)).collect();
    types.sort_unstable();
    writeln!(out, "/// Every type of the vocabulary, sorted.\npub const TYPES: [&str; {}] = [", types.len()).unwrap();
    types.iter().for_each(|(name, _)| writeln!(out, "    {name:?},").unwrap());
    let numbers: Vec<String> = types.iter().map(|(_, number)| number.to_string()).collect();
    let count = types.len();
    writeln!(
        out,
        "];\n\n/// The number of each of [`TYPES`].\n#[rustfmt::skip]\npub const NUMBERS: [u32; {count}] = [{}];",
        numbers.join(", ")
    )
    .unwrap();
    for kind in TYPES {
        writeln!(out, "\n/// `{}`\npub mod {} {{", kind.name, kind.name.replace('.', "_")).unwrap();
        writeln!(out, "    pub const TYPE: &str = {:?};\n    pub const NUMBER: u32 = {};", kind.name, kind.number)
            .unwrap();
        fields(kind.fields, "    ", &mut out);
        out.push_str("}\n");
    }
    out
}

fn fields(fields: &[Field], indent: &str, out: &mut String) {
    for field in fields {
        writeln!(out, "{indent}pub const {}: u32 = {};", field.name.to_uppercase(), field.number).unwrap();
    }
    for field in fields {
        let inner = format!("{indent}    ");
        let open = format!("\n{indent}/// In `{}`.\n{indent}pub mod {} {{\n", field.name, field.name);
        match field.kind {
            Kind::List(items) => {
                out.push_str(&open);
                self::fields(items, &inner, out);
                writeln!(out, "{indent}}}").unwrap();
            }
            Kind::Traits | Kind::Texts => {
                out.push_str(&open);
                writeln!(out, "{inner}pub const NAME: u32 = 1;\n{inner}pub const VALUE: u32 = 2;\n{indent}}}").unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn the_engine_has_the_numbers_of_the_vocabulary() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src/vocabulary.rs");
    if std::env::var_os("UPDATE_VOCABULARY").is_some() {
        std::fs::write(&path, source()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, source(), "event.proto has changed: run with UPDATE_VOCABULARY=1");
}
