//! What a component of a score rests on, in words and as numbers.

use processor_core::{
    rational::Rational,
    score::{Component, Input},
};

use crate::output::number::plain_count_of;

/// What a component looks at, in words.
pub(crate) fn words(of: &Component, input: Rational) -> String {
    let count = number(input);
    match &of.input {
        Input::DaysSince(_) if input.num() == 0 => "the last was today".to_owned(),
        Input::DaysSince(_) => format!("the last was {} ago", plain_count_of(count, "day")),
        Input::DaysWith { among, .. } => format!("{count} of the last {}", plain_count_of(among, "day")),
        Input::Satisfaction { within, .. } => {
            format!("{count} % satisfied, by the latest answers of {}", plain_count_of(within, "day"))
        }
        Input::OpenTickets => format!("{} open", plain_count_of(count, "ticket")),
        Input::FailingPayment if input.num() == 0 => "payment does not fail".to_owned(),
        Input::FailingPayment => "payment fails".to_owned(),
    }
}

/// The name of what a component looks at, and among how many days it counts some.
pub(crate) fn kind(of: &Component) -> (&'static str, Option<i64>) {
    match &of.input {
        Input::DaysSince(_) => ("days_since", None),
        Input::DaysWith { among, .. } => ("days_with", Some(i64::from(*among))),
        Input::Satisfaction { within, .. } => ("satisfaction", Some(i64::from(*within))),
        Input::OpenTickets => ("open_tickets", None),
        Input::FailingPayment => ("failing_payment", None),
    }
}

/// Of a component without input.
pub(crate) const NOTHING: &str = "nothing yet: its weight goes to the others";

/// An integer as it is, any other number with one decimal.
pub(super) fn number(number: Rational) -> String {
    if number.den() == 1 { number.num().to_string() } else { format!("{:.1}", number.to_f64()) }
}
