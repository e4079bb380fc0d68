//! The table of the vocabulary as Rust source, from the descriptors: each message of `Event.data` with its rules.
//!
//! A rule that no field can have, or that names a field which is not there, fails the build.

use std::fmt::Write as _;

use protox::prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

/// Whole numbers go up to 10^15: a million millions of most currencies in minor units, and far from overflow.
const GREATEST: i64 = 1_000_000_000_000_000;

type Result<T> = std::result::Result<T, String>;

/// `pub const TYPES: &[Type] = ...`, in the order of `Event.data`.
pub(crate) fn table(pool: &DescriptorPool) -> Result<String> {
    let event = pool.get_message_by_name("vitals.v1.Event").ok_or("no message Event")?;
    let mut out =
        String::from("/// Every type of event, in the order of `Event.data`.\npub const TYPES: &[Type] = &[\n");
    for case in event.fields().filter(|field| field.containing_oneof().is_some_and(|oneof| oneof.name() == "data")) {
        let Kind::Message(message) = case.kind() else { continue };
        type_of_event(pool, &case, &message, &mut out).map_err(|problem| format!("{}: {problem}", message.name()))?;
    }
    out.push_str("];\n");
    Ok(out)
}

fn type_of_event(
    pool: &DescriptorPool,
    case: &FieldDescriptor,
    message: &MessageDescriptor,
    out: &mut String,
) -> Result<()> {
    let rule = rule(pool, "event_rule", &message.options()).ok_or("has no (event_rule)")?;
    let name = text(&rule, "name");
    if name.replace('.', "_") != case.name() {
        return Err(format!("is named {name} and kept as {}", case.name()));
    }
    let subject =
        ["Account", "Lead", "Tenant", "Named", "Buyer"][usize::try_from(number(&rule, "subject")).unwrap_or(0)];
    let fields = fields(pool, message)?;
    writeln!(
        out,
        "Type {{ name: {name:?}, number: {}, subject: Subject::{subject}, fields: &[{fields}] }},",
        case.number()
    )
    .map_err(|e| e.to_string())
}

fn fields(pool: &DescriptorPool, message: &MessageDescriptor) -> Result<String> {
    let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
    let no_rule = pool.get_message_by_name("vitals.v1.FieldRule").ok_or("no message FieldRule")?;
    let mut out = String::new();
    for field in message.fields() {
        let at = |problem: String| format!("{}: {problem}", field.name());
        let rule = rule(pool, "field_rule", &field.options());
        let rule = rule.unwrap_or_else(|| DynamicMessage::new(no_rule.clone()));
        let with = text(&rule, "with");
        if !with.is_empty() && !names.contains(&with) {
            return Err(at(format!("is needed with {with}, which is no field")));
        }
        let need = match (flag(&rule, "required"), with.as_str()) {
            (true, _) => "Need::Required".to_owned(),
            (_, "") => "Need::Optional".to_owned(),
            _ => format!("Need::With({with:?})"),
        };
        let kind = kind(pool, &field, &rule).map_err(at)?;
        writeln!(
            out,
            "Field {{ name: {:?}, number: {}, kind: {kind}, need: {need}, fill: {}, presence: {} }},",
            field.name(),
            field.number(),
            fill(&rule),
            field.supports_presence(),
        )
        .map_err(|e| e.to_string())?;
    }
    Ok(out)
}

/// What an absent field is kept as.
fn fill(rule: &DynamicMessage) -> String {
    match (number(rule, "fill"), text(rule, "default").as_str()) {
        (1, _) => "Fill::EventId".to_owned(),
        (2, _) => "Fill::RowId".to_owned(),
        (3, _) => "Fill::OfSource".to_owned(),
        (_, "") => "Fill::Nothing".to_owned(),
        (_, default) => format!("Fill::Default({default:?})"),
    }
}

fn kind(pool: &DescriptorPool, field: &FieldDescriptor, rule: &DynamicMessage) -> Result<String> {
    let list = field.cardinality() == Cardinality::Repeated;
    let range = |least: i64| (bound(rule, "least").unwrap_or(least), bound(rule, "greatest").unwrap_or(GREATEST));
    Ok(match (field.kind(), number(rule, "kind"), list) {
        (Kind::String, 0, false) => match texts(rule, "one_of") {
            values if values.is_empty() => "Kind::Text".to_owned(),
            values => format!("Kind::OneOf(&{values:?})"),
        },
        (Kind::String, 1, false) => "Kind::Id".to_owned(),
        (Kind::String, 2, false) => "Kind::Long".to_owned(),
        (Kind::String, 3, false) => match (bound(rule, "least"), bound(rule, "greatest")) {
            _ if flag(rule, "positive") => "Kind::Positive".to_owned(),
            (Some(least), Some(greatest)) => format!("Kind::NumberIn({least}, {greatest})"),
            _ => "Kind::Number".to_owned(),
        },
        (Kind::String, 4, false) => "Kind::Currency".to_owned(),
        (Kind::String, 5, false) => "Kind::Date".to_owned(),
        (Kind::String, 6, false) => "Kind::When".to_owned(),
        (Kind::Int64, 0, false) => format!("Kind::Integer{:?}", range(0)),
        (Kind::Int64, 7, false) => format!("Kind::Money{:?}", range(-GREATEST)),
        (Kind::Bool, 0, false) => "Kind::Flag".to_owned(),
        (Kind::Message(_), 8, true) => "Kind::Traits".to_owned(),
        (Kind::Message(_), 9, true) => "Kind::Texts".to_owned(),
        (Kind::Message(message), 0, true) => format!("Kind::List(&[{}])", fields(pool, &message)?),
        (other, rule, _) => return Err(format!("is {other:?} and its rule has kind {rule}: no field is so")),
    })
}

fn rule(pool: &DescriptorPool, name: &str, options: &DynamicMessage) -> Option<DynamicMessage> {
    let extension = pool.get_extension_by_name(&format!("vitals.v1.{name}"))?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned()).flatten()
}

fn text(rule: &DynamicMessage, name: &str) -> String {
    rule.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn texts(rule: &DynamicMessage, name: &str) -> Vec<String> {
    let value = rule.get_field_by_name(name);
    let list = value.as_deref().and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn flag(rule: &DynamicMessage, name: &str) -> bool {
    rule.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or_default()
}

fn number(rule: &DynamicMessage, name: &str) -> i32 {
    rule.get_field_by_name(name).and_then(|value| value.as_enum_number()).unwrap_or_default()
}

fn bound(rule: &DynamicMessage, name: &str) -> Option<i64> {
    rule.has_field_by_name(name).then(|| rule.get_field_by_name(name).and_then(|value| value.as_i64())).flatten()
}
