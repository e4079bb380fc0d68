//! What the words of a catalog mean: facts, event types, fields of facts, dimensions.
//!
//! Invariants: a name has one canonical spelling, in which it is stored and shown; a name that means nothing is refused
//! with what there is. It does not know which measure a name stands in.
//!
//! | written | canonical | what it is |
//! |---|---|---|
//! | `channel`, `data.channel` (`source`, `product` likewise) | `channel` | of the order |
//! | `custom.x`, `data.custom.x` | `custom.x` | custom field of the event |
//! | `plan`, `traits.plan` | `plan` | trait of the account |
//! | `traits.tier` | `tier` | trait of the account that is not one of [`TRAITS`] |
//! | `traits.custom.x`, `traits.channel`, `traits.currency` | the same | trait with the name of something else |

use serde_saphyr::Spanned;

use super::{Dim, Field, Trigger};
use crate::{
    catalog::Error,
    event::TYPES,
    expr::Type,
    lifecycle::{self, FieldType, Sort, Spelling},
};

/// Traits that every account may have; those of another name are written `traits.NAME`.
const TRAITS: [&str; 8] = ["plan", "segment", "region", "industry", "owner", "name", "parent", "currency"];

/// Fields of facts that are dimensions, each once.
fn of_facts() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for field in lifecycle::facts().flat_map(|(_, fact)| fact.fields).filter(|field| field.dimension) {
        if !names.contains(&field.name) {
            names.push(field.name);
        }
    }
    names
}

/// The fact or event type of this name.
pub(super) fn trigger(name: &Spanned<String>) -> Result<Trigger, Error> {
    let written = name.value.as_str();
    let fact = lifecycle::find(written).filter(|id| lifecycle::fact(*id).sort == Sort::Happening);
    Ok(match (written, fact) {
        ("event", _) => Trigger::Event,
        (_, Some(id)) => Trigger::Fact(id),
        (kind, None) if TYPES.contains(&kind) && kind.contains('.') => Trigger::Type(kind.to_owned()),
        (other, None) => match (near(other, &TYPES), other.contains('.')) {
            (Some(known), _) => {
                let message = format!("there is no event type `{other}`; did you mean `{known}`?");
                return Err(Error::at(name, message));
            }
            (None, true) => Trigger::Type(other.to_owned()),
            (None, false) => {
                let facts = named(Sort::Happening).join(", ");
                let message =
                    format!("there is no fact `{other}`; use {facts}, event or an event type such as usage.recorded");
                return Err(Error::at(name, message));
            }
        },
    })
}

/// That accounts have this fact or event: leads and the tenant are none.
pub(super) fn with_account(name: &Spanned<String>, trigger: &Trigger) -> Result<(), Error> {
    let Some(kind) = trigger.without_account() else { return Ok(()) };
    let group = kind.split('.').next().unwrap_or(kind);
    Err(Error::at(
        name,
        format!("`{group}.*` events have no account, and accounts are counted here; use `count: {}`", name.value),
    ))
}

/// The balance of this name.
pub(super) fn level(name: &Spanned<String>) -> Result<Trigger, Error> {
    let level = lifecycle::find(&name.value).filter(|id| lifecycle::fact(*id).sort == Sort::Level);
    level.map(Trigger::Fact).ok_or_else(|| {
        Error::at(name, format!("`{}` is not known here; use {}", name.value, named(Sort::Level).join(" or ")))
    })
}

/// Names of the facts of a sort.
fn named(sort: Sort) -> Vec<&'static str> {
    lifecycle::facts().filter(|(_, fact)| fact.sort == sort).map(|(_, fact)| fact.name).collect()
}

/// A known name of which this one is a slip: another case or separator, a letter or two, an ending left out.
fn near(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-', '_', '/', ':'], ".");
    let (written, length) = (plain(name), name.chars().count());
    let slips = (length / 5).min(2);
    let slip = |known: &&&str| {
        let other = plain(known);
        let letters = strsim::osa_distance(&written, &other);
        let stem = written.contains('.') && length > 8 && other.starts_with(&written);
        letters <= slips || stem
    };
    known.iter().filter(|known| **known != name).find(slip).copied()
}

/// The canonical spelling of a dimension, whether or not there is one of this name.
pub fn canonical(name: &str) -> &str {
    let of_event = |name: &str| of_facts().contains(&name) || name.starts_with("custom.");
    if let Some(own) = name.strip_prefix("data.").filter(|own| of_event(own)) {
        return own;
    }
    match name.strip_prefix("traits.") {
        Some(own) if !of_event(own) && own != "currency" => own,
        _ => name,
    }
}

/// What a dimension of a catalog is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dimension<'a> {
    /// Of the event or order.
    OfEvent(Dim),
    /// Trait of this name.
    Trait(&'a str),
}

/// The dimension of this name; `has` says whether a measure of the metric has a field of a name.
///
/// A name that is both a field of facts and a trait, as `owner`, is the field where the metric has one.
pub(super) fn dimension(name: &Spanned<String>, has: impl Fn(&str) -> bool) -> Result<Dimension<'_>, Error> {
    let written = name.value.as_str();
    let known = canonical(written);
    if let Some(custom) = known.strip_prefix("custom.").filter(|custom| !custom.is_empty()) {
        return Ok(Dimension::OfEvent(Dim::Custom(custom.to_owned())));
    }
    if let Some(own) = written.strip_prefix("traits.").filter(|own| !own.is_empty()) {
        return of_account(own).map(Dimension::Trait).map_err(|message| Error::at(name, message));
    }
    let of_facts = of_facts();
    let field = of_facts.iter().find(|field| **field == known).filter(|_| has(known) || !TRAITS.contains(&known));
    if let Some(field) = field {
        return Ok(Dimension::OfEvent(Dim::Of(field)));
    }
    Ok(match known {
        "" => return Err(Error::at(name, "a dimension has a name")),
        "currency" => {
            let message =
                "the currency is a dimension of every metric of money; the account's own is `traits.currency`";
            return Err(Error::at(name, message));
        }
        known if TRAITS.contains(&known) => Dimension::Trait(known),
        other => {
            let hint = near(other, &TRAITS).or_else(|| near(other, &of_facts));
            let hint = hint.map(|known| format!(" did you mean `{known}`?")).unwrap_or_default();
            let message = format!(
                "there is no dimension `{other}`;{hint} there are {}, custom.NAME, plan, segment, region, industry, owner, name, parent, and traits.NAME for any other trait",
                of_facts.join(", ")
            );
            return Err(Error::at(name, message));
        }
    })
}

/// The trait of this name, as the account keeps it, if it is no slip.
fn of_account(name: &str) -> Result<&str, String> {
    match near(name, &TRAITS).filter(|_| !TRAITS.contains(&name)) {
        Some(known) => Err(format!(
            "`traits.{name}` looks like `traits.{known}`; write that, or keep a trait of your own in traits.custom"
        )),
        None => Ok(name),
    }
}

/// A field of a fact or event, as a catalog names it.
struct Named {
    name: &'static str,
    spelling: Spelling,
    field: Field,
    kind: Type,
}

impl Named {
    const fn new(name: &'static str, spelling: Spelling, field: Field, kind: Type) -> Named {
        Named { name, spelling, field, kind }
    }

    /// Whether it has a short name, without `data.`.
    fn is_short(&self) -> bool {
        matches!(self.spelling, Spelling::Short | Spelling::Both)
    }

    /// Whether it is in the data of the event.
    fn is_data(&self) -> bool {
        matches!(self.spelling, Spelling::Data | Spelling::Both)
    }
}

/// The type of the event, where there is one.
const TYPE: Named = Named::new("type", Spelling::Short, Field::Type, Type::Text);

/// Fields of usage.
const USAGE: [Named; 3] = [
    Named::new("user", Spelling::Data, Field::User, Type::Text),
    Named::new("name", Spelling::Data, Field::Name, Type::Text),
    Named::new("count", Spelling::Data, Field::Count, Type::Number),
];

/// The fields of a fact or event; `None` is the account at an instant, which has its traits alone.
fn fields(trigger: Option<&Trigger>) -> Vec<Named> {
    let mut fields = Vec::new();
    match trigger {
        None => {}
        Some(Trigger::Fact(id)) => {
            let fact = lifecycle::fact(*id);
            let of_fact = |field: &FieldType| Named::new(field.name, field.spelling, Field::Of(field.name), field.kind);
            fields.extend(fact.fields.iter().filter(|field| field.spelling != Spelling::Dimension).map(of_fact));
            fields.extend(fact.money.then(|| Named::new("currency", Spelling::Both, Field::Currency, Type::Text)));
            // A level is changed by events of several types.
            fields.extend((fact.has_event && fact.sort == Sort::Happening).then_some(TYPE));
        }
        Some(Trigger::Type(kind)) if kind != "usage.recorded" => fields.push(TYPE),
        Some(Trigger::Event | Trigger::Type(_)) => {
            fields.push(TYPE);
            fields.extend(USAGE);
        }
    }
    fields
}

/// Whether what a measure reads has the custom fields of an event.
fn has_custom(trigger: Option<&Trigger>) -> bool {
    trigger.is_some_and(|trigger| trigger.fact().is_none_or(|fact| fact.has_event))
}

/// What a path in a filter names.
pub(super) enum Found {
    /// A field of the fact.
    Of(Field, Type),
    /// The trait of this name.
    Trait(String),
}

/// The field with this path, as far as facts of this trigger have it.
pub(super) fn field(trigger: Option<&Trigger>, path: &[&str]) -> Result<Found, String> {
    let known = fields(trigger);
    let of = |named: &Named| Found::Of(named.field.clone(), named.kind);
    let missing = || Err(missing(trigger, path));
    match path {
        ["traits", "custom", name] => Ok(Found::Trait(format!("custom.{name}"))),
        ["traits", name] => of_account(name).map(|name| Found::Trait(name.to_owned())),
        ["data", "custom", name] | ["custom", name] if has_custom(trigger) => {
            Ok(Found::Of(Field::Custom((*name).to_owned()), Type::Any))
        }
        ["data", name] => {
            known.iter().find(|field| field.is_data() && field.name == *name).map_or_else(missing, |f| Ok(of(f)))
        }
        [name] => match known.iter().find(|field| field.name == *name) {
            Some(field) if field.is_short() => Ok(of(field)),
            Some(_) if TRAITS.contains(name) => {
                Err(format!("`{name}` may be data.{name} or traits.{name}; write one of them"))
            }
            Some(field) => Ok(of(field)),
            None if TRAITS.contains(name) => Ok(Found::Trait((*name).to_owned())),
            None => missing(),
        },
        _ => missing(),
    }
}

fn missing(trigger: Option<&Trigger>, path: &[&str]) -> String {
    let shown = |field: &Named| if field.is_short() { field.name.to_owned() } else { format!("data.{}", field.name) };
    let mut known: Vec<String> = fields(trigger).iter().map(shown).collect();
    if has_custom(trigger) {
        known.push("data.custom.NAME".to_owned());
    }
    known.extend(["traits.NAME", "traits.custom.NAME"].map(str::to_owned));
    format!("there is no field `{}` here; there are {}", path.join("."), known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_has_one_spelling() {
        for (written, expected) in [
            ("plan", "plan"),
            ("traits.plan", "plan"),
            ("traits.tier", "tier"),
            ("channel", "channel"),
            ("data.channel", "channel"),
            ("custom.x", "custom.x"),
            ("data.custom.x", "custom.x"),
            ("traits.custom.x", "traits.custom.x"),
            ("traits.channel", "traits.channel"),
            ("traits.currency", "traits.currency"),
            ("data.plan", "data.plan"),
        ] {
            assert_eq!(canonical(written), expected, "{written}");
            assert_eq!(canonical(expected), expected, "the canonical spelling is canonical");
        }
    }

    #[test]
    fn a_slip_is_near_and_another_name_is_not() {
        for (written, known) in [
            ("order.complete", "order.completed"),
            ("order.Completed", "order.completed"),
            ("Order Completed", "order.completed"),
            ("order_completed", "order.completed"),
            ("orders.completed", "order.completed"),
            ("order.canceled", "order.cancelled"),
            ("usage.record", "usage.recorded"),
            ("ticket.open", "ticket.opened"),
        ] {
            assert_eq!(near(written, &TYPES), Some(known), "{written}");
        }
        for other in
            ["page.viewed", "order.shipped", "ticket.escalated", "subscription.renewed", "usage", "order.completed.v2"]
        {
            assert_eq!(near(other, &TYPES), None, "{other}");
        }
        assert_eq!(
            (near("plann", &TRAITS), near("regoin", &TRAITS), near("tier", &TRAITS)),
            (Some("plan"), Some("region"), None)
        );
    }
}
