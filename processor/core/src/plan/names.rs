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
use crate::{catalog::Error, event::TYPES, expr::Type};

/// Traits that every account may have; those of another name are written `traits.NAME`.
const TRAITS: [&str; 8] = ["plan", "segment", "region", "industry", "owner", "name", "parent", "currency"];

/// Dimensions of orders.
const OF_ORDERS: [&str; 3] = ["channel", "source", "product"];

/// The fact or event type of this name.
pub(super) fn trigger(name: &Spanned<String>) -> Result<Trigger, Error> {
    Ok(match name.value.as_str() {
        "event" => Trigger::Event,
        // An event of this type counts where its order does.
        "order" | "order.completed" => Trigger::Order,
        "refund" => Trigger::Refund,
        "customer_started" => Trigger::Started,
        "customer_lost" => Trigger::Lost,
        kind if TYPES.contains(&kind) && kind.contains('.') => Trigger::Type(kind.to_owned()),
        other => match (near(other, &TYPES), other.contains('.')) {
            (Some(known), _) => {
                let message = format!("there is no event type `{other}`; did you mean `{known}`?");
                return Err(Error::at(name, message));
            }
            (None, true) => Trigger::Type(other.to_owned()),
            (None, false) => {
                let message = format!(
                    "there is no fact `{other}`; use order, refund, customer_started, customer_lost, event or an event type such as usage.recorded"
                );
                return Err(Error::at(name, message));
            }
        },
    })
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
    let of_event = |name: &str| OF_ORDERS.contains(&name) || name.starts_with("custom.");
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

/// The dimension of this name.
pub(super) fn dimension(name: &Spanned<String>) -> Result<Dimension<'_>, Error> {
    let written = name.value.as_str();
    let known = canonical(written);
    if let Some(custom) = known.strip_prefix("custom.").filter(|custom| !custom.is_empty()) {
        return Ok(Dimension::OfEvent(Dim::Custom(custom.to_owned())));
    }
    if let Some(own) = written.strip_prefix("traits.").filter(|own| !own.is_empty()) {
        return of_account(own).map(Dimension::Trait).map_err(|message| Error::at(name, message));
    }
    Ok(match known {
        "channel" => Dimension::OfEvent(Dim::Channel),
        "source" => Dimension::OfEvent(Dim::Source),
        "product" => Dimension::OfEvent(Dim::Product),
        "" => return Err(Error::at(name, "a dimension has a name")),
        "currency" => {
            let message =
                "the currency is a dimension of every metric of money; the account's own is `traits.currency`";
            return Err(Error::at(name, message));
        }
        known if TRAITS.contains(&known) => Dimension::Trait(known),
        other => {
            let hint = near(other, &TRAITS).or_else(|| near(other, &OF_ORDERS));
            let hint = hint.map(|known| format!(" did you mean `{known}`?")).unwrap_or_default();
            let message = format!(
                "there is no dimension `{other}`;{hint} there are channel, source, product, custom.NAME, plan, segment, region, industry, owner, name, parent, and traits.NAME for any other trait"
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

/// A field of a fact, as a catalog names it.
struct Named {
    name: &'static str,
    /// Whether it has a short name, without `data.`.
    short: bool,
    /// Whether it is in the data of the event.
    data: bool,
    field: Field,
    kind: Type,
}

const fn short(name: &'static str, field: Field, kind: Type) -> Named {
    Named { name, short: true, data: false, field, kind }
}

const fn both(name: &'static str, field: Field, kind: Type) -> Named {
    Named { name, short: true, data: true, field, kind }
}

const fn data(name: &'static str, field: Field, kind: Type) -> Named {
    Named { name, short: false, data: true, field, kind }
}

const ORDER: &[Named] = &[
    short("net", Field::Net, Type::Number),
    both("gross", Field::Gross, Type::Number),
    both("discount", Field::Discount, Type::Number),
    short("first", Field::First, Type::Flag),
    both("currency", Field::Currency, Type::Text),
    both("order", Field::Order, Type::Text),
    both("channel", Field::Channel, Type::Text),
    both("source", Field::Source, Type::Text),
    short("type", Field::Type, Type::Text),
];

const REFUND: &[Named] = &[
    both("amount", Field::Amount, Type::Number),
    both("currency", Field::Currency, Type::Text),
    both("order", Field::Order, Type::Text),
    both("channel", Field::Channel, Type::Text),
    both("source", Field::Source, Type::Text),
    short("type", Field::Type, Type::Text),
];

const STARTED: &[Named] = &[short("first", Field::First, Type::Flag)];

const USAGE: &[Named] = &[
    short("type", Field::Type, Type::Text),
    data("user", Field::User, Type::Text),
    data("name", Field::Name, Type::Text),
    data("count", Field::Count, Type::Number),
];

const EVENT: &[Named] = &[short("type", Field::Type, Type::Text)];

/// The fields of a fact; `None` is the account at an instant, which has its traits alone.
fn fields(trigger: Option<&Trigger>) -> &'static [Named] {
    match trigger {
        Some(Trigger::Order) => ORDER,
        Some(Trigger::Refund) => REFUND,
        Some(Trigger::Started) => STARTED,
        Some(Trigger::Event) => USAGE,
        Some(Trigger::Type(kind)) if kind == "usage.recorded" => USAGE,
        Some(Trigger::Type(_)) => EVENT,
        Some(Trigger::Lost) | None => &[],
    }
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
    let has_custom = !matches!(trigger, Some(Trigger::Started | Trigger::Lost) | None);
    let known = fields(trigger);
    let of = |named: &Named| Found::Of(named.field.clone(), named.kind);
    let missing = || Err(missing(trigger, path));
    match path {
        ["traits", "custom", name] => Ok(Found::Trait(format!("custom.{name}"))),
        ["traits", name] => of_account(name).map(|name| Found::Trait(name.to_owned())),
        ["data", "custom", name] | ["custom", name] if has_custom => {
            Ok(Found::Of(Field::Custom((*name).to_owned()), Type::Any))
        }
        ["data", name] => {
            known.iter().find(|field| field.data && field.name == *name).map_or_else(missing, |f| Ok(of(f)))
        }
        [name] => match known.iter().find(|field| field.name == *name) {
            Some(field) if field.short => Ok(of(field)),
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
    let shown = |field: &Named| if field.short { field.name.to_owned() } else { format!("data.{}", field.name) };
    let mut known: Vec<String> = fields(trigger).iter().map(shown).collect();
    if !matches!(trigger, Some(Trigger::Started | Trigger::Lost) | None) {
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
