//! Labels, annotations and the owner of an alert, rendered from what is known of it.
//!
//! Templates are minijinja: `{{ account }} fell to {{ shown }}`. Names: `rule`, `metric`, `account`, `value`, `before`, `shown`
//! and `shown_before` (with the unit), `compared`, `unit`, `currency`, `reason`, `since`, `at`, `fired` (RFC 3339),
//! `traits.NAME`, `dimensions.NAME`. What is not known renders as nothing. A template cannot loop for ever, and one that fails
//! renders as its error: an alert is never held up by its text.

use minijinja::{Environment, Value, context};
use processor_core::{
    calendar::{Time, timestamp},
    currency, expr,
};

use crate::{condition::Compared, rule::Rule, snapshot::Snapshot};

/// Steps that a template may take.
const FUEL: u64 = 10_000;

/// A template that was read once without a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A message, and the line within the text, from 1.
    pub(crate) fn parse(text: &str) -> Result<Template, (String, usize)> {
        match environment().template_from_str(text) {
            Ok(_) => Ok(Template(text.to_owned())),
            Err(error) => {
                let detail = error.detail().map(ToOwned::to_owned).unwrap_or_else(|| error.kind().to_string());
                Err((format!("the template is wrong: {detail}"), error.line().unwrap_or(1)))
            }
        }
    }

    fn render(&self, values: &Value) -> String {
        environment().render_str(&self.0, values).unwrap_or_else(|error| format!("(the template failed: {error})"))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment
}

/// What a template is rendered from.
pub(crate) struct Facts<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) since: Time,
    pub(crate) at: Time,
    pub(crate) fired: Option<Time>,
    pub(crate) compared: &'a Compared,
}

impl Facts<'_> {
    /// The texts by name.
    pub(crate) fn render(&self, templates: &[(String, Template)]) -> Vec<(String, String)> {
        if templates.is_empty() {
            return Vec::new();
        }
        let values = self.values();
        templates.iter().map(|(name, template)| (name.clone(), template.render(&values))).collect()
    }

    /// The owner to notify; empty for nobody in particular.
    pub(crate) fn owner(&self) -> String {
        let view = crate::scope::View {
            names: &self.rule.names,
            snapshot: self.snapshot,
            value: self.snapshot.number(),
            before: None,
        };
        match self.rule.owner.as_ref().map(|owner| owner.eval(&view)) {
            Some(expr::Value::Text(owner)) => owner.into_owned(),
            _ => String::new(),
        }
    }

    fn values(&self) -> Value {
        let snapshot = self.snapshot;
        let value = snapshot.number().map(|number| number.to_f64());
        let text = |value: Option<f64>| value.map(|value| shown(value, &snapshot.unit, &snapshot.currency));
        context! {
            rule => self.rule.name,
            metric => snapshot.definition.split('@').next().unwrap_or_default(),
            account => snapshot.series.account,
            value => value,
            before => self.compared.value,
            shown => text(value).unwrap_or_else(|| "no value".to_owned()),
            shown_before => text(self.compared.value).unwrap_or_else(|| "no value".to_owned()),
            compared => self.compared.words,
            unit => snapshot.unit,
            currency => snapshot.currency,
            reason => snapshot.reason,
            since => rfc3339(self.since),
            at => rfc3339(self.at),
            fired => self.fired.map(rfc3339),
            traits => named(&snapshot.traits),
            dimensions => named(&snapshot.series.dimensions),
        }
    }
}

fn named(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// RFC 3339 in UTC, as other programs read it.
pub(crate) fn rfc3339(time: Time) -> String {
    timestamp(time).to_string()
}

/// A value in the unit of rules as people read it: `12.5 %`, `1,234.50 EUR`, `2 h 30 min`, `41.5 points`.
pub fn shown(value: f64, unit: &str, currency: &str) -> String {
    match unit {
        "ratio" => format!("{} %", grouped(value * 100.0, 1, true)),
        "money" => {
            let places = usize::try_from(currency::places(currency)).unwrap_or(2);
            format!("{} {currency}", grouped(value, places, false))
        }
        "seconds" if value.abs() >= 86_400.0 => format!("{} days", grouped(value / 86_400.0, 1, true)),
        "seconds" if value.abs() >= 3_600.0 => format!("{} h", grouped(value / 3_600.0, 1, true)),
        "seconds" if value.abs() >= 60.0 => format!("{} min", grouped(value / 60.0, 1, true)),
        "count" => grouped(value, 2, true),
        unit => format!("{} {unit}", grouped(value, 2, true)),
    }
}

/// A number with groups of thousands; `cut` takes zeros at the end away.
fn grouped(value: f64, places: usize, cut: bool) -> String {
    let text = format!("{:.places$}", value.abs());
    let text = if cut && text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    format!("{}{grouped}{fraction}", if value < 0.0 && !is_zero { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_people_read_them() {
        for (value, unit, currency, expected) in [
            (0.125, "ratio", "", "12.5 %"),
            (1_234_567.5, "money", "EUR", "1,234,567.50 EUR"),
            (1_200.0, "money", "JPY", "1,200 JPY"),
            (-0.001, "points", "", "0 points"),
            (41.5, "points", "", "41.5 points"),
            (9_000.0, "seconds", "", "2.5 h"),
            (1_000.0, "count", "", "1,000"),
            (90.0, "days", "", "90 days"),
        ] {
            assert_eq!(shown(value, unit, currency), expected);
        }
    }

    #[test]
    fn a_template_is_checked_and_cannot_loop_for_ever() {
        let (message, line) = Template::parse("a\n{{ b").unwrap_err();
        assert!(message.starts_with("the template is wrong: ") && line == 2, "{message} {line}");
        let endless = Template::parse("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}");
        assert!(endless.unwrap().render(&context! {}).contains("the template failed"));
    }
}
