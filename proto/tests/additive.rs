//! The contract is additive: whatever the committed descriptor has is still there, unchanged.
//!
//! After an addition, `UPDATE_DESCRIPTOR=1 cargo test --release --workspace additive` renews the committed
//! descriptor; it refuses to when the change is not an addition.

use std::{collections::BTreeMap, path::PathBuf};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, descriptor_proto::ReservedRange,
};

/// What other programs rely on, by name: `vitals.v1.Event.subject` or `vitals.v1.SubjectKind.SUBJECT_KIND_LEAD`.
#[derive(Debug, Default)]
struct Contract {
    /// Name of each message and enum.
    types: BTreeMap<String, &'static str>,
    fields: BTreeMap<String, String>,
    /// (message or enum, number) to the name that it has; a reserved number has none.
    numbers: BTreeMap<(String, i32), String>,
    reserved: Vec<(String, ReservedRange)>,
}

impl Contract {
    fn new(set: &FileDescriptorSet) -> Self {
        let mut contract = Self::default();
        // What they import from Google is not ours.
        for file in set.file.iter().filter(|file| file.package() == "vitals.v1") {
            for message in &file.message_type {
                contract.message(file.package(), message);
            }
            for values in &file.enum_type {
                contract.values(file.package(), values);
            }
        }
        contract
    }

    fn message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for field in &message.field {
            let group = field.oneof_index.and_then(|at| message.oneof_decl.get(usize::try_from(at).ok()?));
            let group = group.map_or("", |group| group.name());
            self.fields.insert(format!("{name}.{}", field.name()), field_shape(field, group));
            self.numbers.insert((name.clone(), field.number()), field.name().to_owned());
        }
        self.reserved.extend(message.reserved_range.iter().map(|range| (name.clone(), *range)));
        message.nested_type.iter().for_each(|nested| self.message(&name, nested));
        message.enum_type.iter().for_each(|values| self.values(&name, values));
        self.types.insert(name, "message");
    }

    fn values(&mut self, scope: &str, values: &EnumDescriptorProto) {
        let name = format!("{scope}.{}", values.name());
        for value in &values.value {
            self.fields.insert(format!("{name}.{}", value.name()), format!("= {}", value.number()));
            self.numbers.insert((name.clone(), value.number()), value.name().to_owned());
        }
        self.types.insert(name, "enum");
    }
}

fn field_shape(field: &FieldDescriptorProto, group: &str) -> String {
    let (label, kind, named) = (field.label().as_str_name(), field.r#type().as_str_name(), field.type_name());
    let optional = if field.proto3_optional() { " optional" } else { "" };
    format!("= {} {label}{optional} {kind} {named} {group}", field.number()).trim_end().to_owned()
}

/// Everything that `now` took away from `before`, or changed.
fn broken(before: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let (before, now) = (Contract::new(before), Contract::new(now));
    let mut broken = Vec::new();
    for (name, kind) in &before.types {
        if now.types.get(name) != Some(kind) {
            broken.push(format!("{kind} {name} is gone"));
        }
    }
    for (name, shape) in &before.fields {
        match now.fields.get(name) {
            None => broken.push(format!("{name} is gone")),
            Some(found) if found != shape => broken.push(format!("{name} was `{shape}` and is `{found}`")),
            Some(_) => {}
        }
    }
    for ((owner, number), name) in &before.numbers {
        match now.numbers.get(&(owner.clone(), *number)) {
            Some(found) if found != name => broken.push(format!("{owner}: number {number} was {name} and is {found}")),
            _ => {}
        }
    }
    for (owner, range) in &before.reserved {
        for ((_, number), name) in now.numbers.iter().filter(|((of, _), _)| of == owner) {
            if (range.start()..range.end()).contains(number) {
                broken.push(format!("{owner}: reserved number {number} is {name}"));
            }
        }
    }
    broken
}

fn now() -> FileDescriptorSet {
    FileDescriptorSet::decode(proto::DESCRIPTOR).expect("the compiled descriptor decodes")
}

#[test]
fn the_contract_only_grows() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/v1.descriptor.bin");
    let update = std::env::var_os("UPDATE_DESCRIPTOR").is_some();
    if update && !path.exists() {
        std::fs::write(&path, proto::DESCRIPTOR).unwrap();
    }
    let committed = FileDescriptorSet::decode(std::fs::read(&path).unwrap().as_slice()).unwrap();
    assert_eq!(broken(&committed, &now()), Vec::<String>::new(), "add a new field or message instead");
    if update {
        std::fs::write(&path, proto::DESCRIPTOR).unwrap();
        return;
    }
    let unseen = broken(&now(), &committed);
    assert_eq!(unseen, Vec::<String>::new(), "additions that are not committed yet: run with UPDATE_DESCRIPTOR=1");
}

fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    set.file
        .iter_mut()
        .flat_map(|file| &mut file.message_type)
        .find(|message| message.name() == name)
        .expect("the contract has this message")
}

#[test]
fn whatever_is_taken_away_is_noticed() {
    let check = |change: fn(&mut FileDescriptorSet), expected: &str| {
        let mut changed = now();
        change(&mut changed);
        let found = broken(&now(), &changed);
        assert!(found.iter().any(|problem| problem == expected), "expected {expected}\n   found {found:#?}");
    };
    check(
        |set| set.file.iter_mut().for_each(|file| file.message_type.retain(|message| message.name() != "Tick")),
        "message vitals.v1.Tick is gone",
    );
    check(|set| drop(message(set, "Event").field.remove(0)), "vitals.v1.Event.id is gone");
    check(
        |set| message(set, "Event").field[0].set_type(prost_types::field_descriptor_proto::Type::Bytes),
        "vitals.v1.Event.id was `= 1 LABEL_OPTIONAL TYPE_STRING` and is `= 1 LABEL_OPTIONAL TYPE_BYTES`",
    );
    check(
        |set| message(set, "Event").field[0].set_label(prost_types::field_descriptor_proto::Label::Repeated),
        "vitals.v1.Event.id was `= 1 LABEL_OPTIONAL TYPE_STRING` and is `= 1 LABEL_REPEATED TYPE_STRING`",
    );
    check(
        |set| message(set, "Event").field[0].number = Some(99),
        "vitals.v1.Event.id was `= 1 LABEL_OPTIONAL TYPE_STRING` and is `= 99 LABEL_OPTIONAL TYPE_STRING`",
    );
    check(
        |set| message(set, "Event").field[0].name = Some("identifier".to_owned()),
        "vitals.v1.Event: number 1 was id and is identifier",
    );
    check(
        |set| {
            for values in set.file.iter_mut().flat_map(|file| &mut file.enum_type) {
                values.value.retain(|value| value.name() != "SUBJECT_KIND_LEAD");
            }
        },
        "vitals.v1.SubjectKind.SUBJECT_KIND_LEAD is gone",
    );
}

#[test]
fn a_reserved_number_stays_unused() {
    let (mut before, now) = (now(), now());
    let range = ReservedRange { start: Some(1), end: Some(2) };
    let event = message(&mut before, "Event");
    event.field.remove(0);
    event.reserved_range.push(range);
    assert_eq!(broken(&before, &now), ["vitals.v1.Event: reserved number 1 is id"]);
}

#[test]
fn growing_is_allowed() {
    let mut more = now();
    let field = FieldDescriptorProto { name: Some("more".to_owned()), number: Some(500), ..Default::default() };
    message(&mut more, "Event").field.push(field);
    assert_eq!(broken(&now(), &more), Vec::<String>::new());
    assert_eq!(broken(&more, &now()), ["vitals.v1.Event.more is gone"]);
}
