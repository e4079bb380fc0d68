//! Lowered expressions against the interpreter of crate `cel`, on random well-typed ones and random values.
//!
//! Where the interpreter has a value, ours is the same. The differences that are on purpose:
//!
//! - A number is exact here and has one type. There `int` divides to an `int` and overflows, `double` rounds, and the
//!   two do not mix in arithmetic. So numbers of an expression are all small integers or all small quarters, and a
//!   division is compared truncated, at the top. `+` adds numbers only.
//! - Where the interpreter has an error, ours has a value: the table of the module above says which.
//! - A custom field is read as the type of what it meets (`"1" == 1`), which the interpreter does not do. No text of
//!   these tests reads as a number or flag, and none of its numbers and flags is a text that they compare with.
//! - `x == ""` holds for a missing field.

use std::collections::HashMap;

use cel::{Context, Program, Value as Other};
use proptest::prelude::*;

use super::{Expr, Scope, Type, Value, Values};
use crate::rational::Rational;

/// Decides what the generator does next; at its end always the first, simplest way.
struct Choices(std::vec::IntoIter<u32>);

impl Choices {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.next().map_or(0, |choice| choice % bound)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(u32::try_from(of.len()).unwrap())).unwrap()]
    }
}

/// A type that the generator makes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Text,
    Flag,
}

/// What an expression may hold.
#[derive(Debug, Clone, Copy)]
struct Grammar {
    /// Quarters instead of integers.
    quarters: bool,
    /// Custom fields, of any type or missing, and null.
    custom: bool,
}

const NUMBERS: [&str; 3] = ["a", "b", "c"];
const TEXTS: [&str; 2] = ["data.kind", "data.name"];
const CUSTOM: [&str; 3] = ["data.custom.x", "data.custom.y", "data.custom.z"];
/// As source, and what it says.
const WORDS: [(&str, &str); 6] =
    [("\"\"", ""), ("'a'", "a"), ("\"ab\"", "ab"), (r#""b\"\\""#, "b\"\\"), ("'\\u00e4'", "ä"), ("\"😀a\"", "😀a")];

impl Grammar {
    fn any(self, kind: Kind, depth: u32, from: &mut Choices) -> String {
        match kind {
            _ if depth == 0 => self.leaf(kind, from),
            Kind::Number => self.number(depth, from),
            Kind::Text => self.text(depth, from),
            Kind::Flag => self.flag(depth, from),
        }
    }

    fn leaf(self, kind: Kind, from: &mut Choices) -> String {
        if self.custom && from.below(4) == 3 {
            return from.one(&CUSTOM).to_owned();
        }
        match (kind, from.below(2)) {
            (Kind::Number, 0) if self.quarters => from.one(&["0.0", "1.25", "0.5", "3.0", "2.5e0"]).to_owned(),
            (Kind::Number, 0) => from.one(&["0", "1", "2", "7", "0x10"]).to_owned(),
            (Kind::Number, _) => from.one(&NUMBERS).to_owned(),
            (Kind::Text, 0) => from.one(&WORDS).0.to_owned(),
            (Kind::Text, _) => from.one(&TEXTS).to_owned(),
            (Kind::Flag, 0) => from.one(&["true", "false"]).to_owned(),
            (Kind::Flag, _) => "first".to_owned(),
        }
    }

    fn number(self, depth: u32, from: &mut Choices) -> String {
        let part = |from: &mut Choices| self.any(Kind::Number, depth - 1, from);
        match from.below(6) {
            0 => self.leaf(Kind::Number, from),
            1 => format!("-({})", part(from)),
            2 => self.choice(Kind::Number, depth, from),
            operator => {
                // Texts add up to a text there.
                let operators = if self.custom { ["-", "-", "*"] } else { ["+", "-", "*"] };
                let operator = operators[usize::try_from(operator).unwrap() - 3];
                format!("({} {operator} {})", part(from), part(from))
            }
        }
    }

    fn text(self, depth: u32, from: &mut Choices) -> String {
        match from.below(3) {
            0 => self.choice(Kind::Text, depth, from),
            _ => self.leaf(Kind::Text, from),
        }
    }

    fn choice(self, kind: Kind, depth: u32, from: &mut Choices) -> String {
        let condition = self.any(Kind::Flag, depth - 1, from);
        format!("({condition} ? {} : {})", self.any(kind, depth - 1, from), self.any(kind, depth - 1, from))
    }

    fn flag(self, depth: u32, from: &mut Choices) -> String {
        let flag = |from: &mut Choices| self.any(Kind::Flag, depth - 1, from);
        match from.below(9) {
            0 => self.leaf(Kind::Flag, from),
            1 => format!("!({})", flag(from)),
            2 => format!("({} && {})", flag(from), flag(from)),
            3 => format!("({} || {})", flag(from), flag(from)),
            4 => self.choice(Kind::Flag, depth, from),
            5 => {
                let method = from.one(&["startsWith", "endsWith", "contains"]);
                let (text, part) = (self.any(Kind::Text, depth - 1, from), self.any(Kind::Text, depth - 1, from));
                format!("({text}).{method}({part})")
            }
            6 => {
                let kind = from.one(&[Kind::Number, Kind::Text]);
                let part = |from: &mut Choices| self.any(kind, depth - 1, from);
                format!("({} in [{}, {}])", part(from), part(from), part(from))
            }
            7 if self.custom => match from.below(2) {
                0 => format!("has({})", from.one(&CUSTOM)),
                _ => format!("({} {} null)", from.one(&CUSTOM), from.one(&["==", "!="])),
            },
            _ => self.comparison(depth, from),
        }
    }

    /// Comparisons of custom fields with literals, and what `&&`, `||` and `!` make of them.
    fn condition(depth: u32, from: &mut Choices) -> String {
        let part = |from: &mut Choices| Self::condition(depth - 1, from);
        match from.below(5) {
            0 if depth > 0 => format!("({} && {})", part(from), part(from)),
            1 if depth > 0 => format!("({} || {})", part(from), part(from)),
            2 if depth > 0 => format!("!({})", part(from)),
            3 => format!("({} in [2, 'a', null])", from.one(&CUSTOM)),
            _ => {
                let operator = from.one(&["==", "!=", "<", "<=", ">", ">="]);
                let literal = from.one(&["2", "'a'", "true", "null"]);
                format!("({} {operator} {literal})", from.one(&CUSTOM))
            }
        }
    }

    fn comparison(self, depth: u32, from: &mut Choices) -> String {
        let kind = from.one(&[Kind::Number, Kind::Text, Kind::Flag]);
        let operator = from.one(&["==", "!=", "<", "<=", ">", ">="]);
        format!("({} {operator} {})", self.any(kind, depth - 1, from), self.any(kind, depth - 1, from))
    }
}

/// Values of the fields; numbers count quarters or ones.
#[derive(Debug, Clone)]
struct Fields {
    quarters: bool,
    numbers: [i64; 3],
    texts: [usize; 2],
    first: bool,
    custom: [Custom; 3],
}

#[derive(Debug, Clone)]
enum Custom {
    Missing,
    Number(i64),
    Text(usize),
    Flag(bool),
}

fn fields(quarters: bool) -> impl Strategy<Value = Fields> {
    let word = 0..WORDS.len();
    let custom = prop_oneof![
        Just(Custom::Missing),
        (-9_i64..10).prop_map(Custom::Number),
        word.clone().prop_map(Custom::Text),
        any::<bool>().prop_map(Custom::Flag),
    ];
    let number = -9_i64..10;
    (
        [number.clone(), number.clone(), number],
        [word.clone(), word],
        any::<bool>(),
        [custom.clone(), custom.clone(), custom],
    )
        .prop_map(move |(numbers, texts, first, custom)| Fields { quarters, numbers, texts, first, custom })
}

impl Scope for Fields {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        let name = path.join(".");
        let at = |names: &[&str]| names.iter().position(|known| *known == name);
        let found = at(&NUMBERS).map(|slot| (slot, Type::Number));
        let found = found.or_else(|| at(&TEXTS).map(|slot| (3 + slot, Type::Text)));
        let found = found.or_else(|| at(&CUSTOM).map(|slot| (5 + slot, Type::Any)));
        found.or((name == "first").then_some((8, Type::Flag))).ok_or(name)
    }
}

impl Values for Fields {
    fn get(&self, slot: usize) -> Value<'_> {
        match slot {
            0..3 => Value::Number(self.exact(self.numbers[slot])),
            3..5 => Value::Text(WORDS[self.texts[slot - 3]].1.into()),
            5..8 => match self.custom[slot - 5] {
                Custom::Missing => Value::Null,
                Custom::Number(number) => Value::Number(self.exact(number)),
                Custom::Text(word) => Value::Text(WORDS[word].1.into()),
                Custom::Flag(flag) => Value::Flag(flag),
            },
            _ => Value::Flag(self.first),
        }
    }
}

impl Fields {
    fn exact(&self, number: i64) -> Rational {
        Rational::new(number.into(), if self.quarters { 4 } else { 1 }).unwrap()
    }

    fn number(&self, number: i64) -> Other {
        if self.quarters { Other::Float(self.exact(number).to_f64()) } else { Other::Int(number) }
    }

    /// What the interpreter makes of it.
    fn interpreted(&self, source: &str) -> Result<Other, String> {
        self.interpreted_with(source, None)
    }

    /// The same, with a value for what is missing.
    fn interpreted_with(&self, source: &str, missing: Option<Other>) -> Result<Other, String> {
        let mut context = Context::default();
        for (name, number) in NUMBERS.iter().zip(self.numbers) {
            context.add_variable_from_value(*name, self.number(number));
        }
        context.add_variable_from_value("first", self.first);
        let mut custom: HashMap<String, Other> = HashMap::new();
        for (name, value) in ["x", "y", "z"].iter().zip(&self.custom) {
            let value = match value {
                Custom::Missing => match &missing {
                    Some(value) => value.clone(),
                    None => continue,
                },
                Custom::Number(number) => self.number(*number),
                Custom::Text(word) => Other::from(WORDS[*word].1),
                Custom::Flag(flag) => Other::Bool(*flag),
            };
            custom.insert((*name).to_owned(), value);
        }
        let texts = ["kind", "name"].iter().zip(self.texts);
        let mut data: HashMap<String, Other> =
            texts.map(|(name, word)| ((*name).to_owned(), Other::from(WORDS[word].1))).collect();
        data.insert("custom".to_owned(), custom.into());
        context.add_variable_from_value("data", data);
        let program = Program::compile(source).map_err(|error| error.to_string())?;
        program.execute(&context).map_err(|error| error.to_string())
    }
}

fn same(ours: &Value<'_>, other: &Other) -> bool {
    match (ours, other) {
        (Value::Null, Other::Null) => true,
        (Value::Number(number), Other::Int(other)) => *number == Rational::integer((*other).into()),
        (Value::Number(number), Other::Float(other)) => number.to_f64() == *other,
        (Value::Text(text), Other::String(other)) => text.as_ref() == other.as_str(),
        (Value::Flag(flag), Other::Bool(other)) => flag == other,
        _ => false,
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Flag), Just(Kind::Number), Just(Kind::Text)]
}

fn choices() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..80)
}

/// A grammar, values for it, and choices.
fn cases(custom: bool) -> impl Strategy<Value = (Grammar, Fields, Kind, Vec<u32>)> {
    let cases = move |quarters| (Just(Grammar { quarters, custom }), fields(quarters), kinds(), choices());
    any::<bool>().prop_flat_map(cases)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn with_all_fields_there_the_values_are_the_same((grammar, fields, kind, choices) in cases(false)) {
        let source = grammar.any(kind, 4, &mut Choices(choices.into_iter()));
        let expr = Expr::lower(&source, &mut fields.clone()).map_err(|problem| TestCaseError::fail(format!("{source}: {problem:?}")))?;
        let (ours, other) = (expr.eval(&fields), fields.interpreted(&source));
        prop_assert!(other.as_ref().is_ok_and(|other| same(&ours, other)), "{} is {:?}, interpreted {:?}", source, ours, other);
        prop_assert_eq!(expr.holds(&fields), other == Ok(Other::Bool(true)));
    }

    #[test]
    fn with_fields_of_any_type_a_value_of_the_interpreter_is_ours((grammar, fields, kind, choices) in cases(true)) {
        let source = grammar.any(kind, 4, &mut Choices(choices.into_iter()));
        // Not every custom field fits where it stands: `(x ? a : b) == "text"`.
        let Ok(expr) = Expr::lower(&source, &mut fields.clone()) else { return Ok(()) };
        let ours = expr.eval(&fields);
        if let Ok(other) = fields.interpreted(&source) {
            prop_assert!(same(&ours, &other), "{} is {:?}, interpreted {:?}", source, ours, other);
        }
    }

    #[test]
    fn a_missing_field_is_the_interpreters_null_and_a_condition_has_two_values(fields in fields(false), choices in choices()) {
        let source = Grammar::condition(4, &mut Choices(choices.into_iter()));
        let lower = |source: &str| Expr::lower(source, &mut fields.clone());
        let fails = |problem| TestCaseError::fail(format!("{source}: {problem:?}"));
        let (expr, negated) = (lower(&source).map_err(fails)?, lower(&format!("!({source})")).map_err(fails)?);
        prop_assert_eq!(expr.holds(&fields), !negated.holds(&fields), "{}", source);
        if let Ok(other) = fields.interpreted_with(&source, Some(Other::Null)) {
            prop_assert!(same(&expr.eval(&fields), &other), "{} is {:?}, interpreted {:?}", source, expr.eval(&fields), other);
        }
    }

    #[test]
    fn a_division_is_exact_and_truncates_to_the_interpreters(fields in fields(false), choices in choices()) {
        let grammar = Grammar { quarters: false, custom: false };
        let mut choices = Choices(choices.into_iter());
        let parts = [(); 2].map(|()| grammar.any(Kind::Number, 2, &mut choices));
        let source = format!("({}) / ({})", parts[0], parts[1]);
        let other = fields.interpreted(&source);
        let expr = match Expr::lower(&source, &mut fields.clone()) {
            Ok(expr) => expr,
            Err(problem) if problem.message.contains("always 0") => {
                prop_assert!(other.is_err_and(|error| error.contains("by zero")), "{}", source);
                return Ok(());
            }
            Err(problem) => return Err(TestCaseError::fail(format!("{source}: {problem:?}"))),
        };
        match (expr.eval(&fields), other) {
            (Value::Number(ours), Ok(Other::Int(other))) => prop_assert_eq!(ours.num() / ours.den(), i128::from(other)),
            (Value::Null, Err(error)) => prop_assert!(error.contains("by zero"), "{}: {}", source, error),
            (ours, other) => prop_assert!(false, "{} is {:?}, interpreted {:?}", source, ours, other),
        }
    }
}

/// The differences that the header names.
#[test]
fn what_differs_on_purpose() {
    let fields = Fields {
        quarters: false,
        numbers: [1, 0, 3],
        texts: [1, 2],
        first: true,
        custom: [Custom::Missing, Custom::Number(1), Custom::Text(1)],
    };
    for (source, ours, fails) in [
        ("a / b", Value::Null, true),
        ("a / c * c == 1", Value::Flag(true), false),
        ("9223372036854775807 + a > 0", Value::Flag(true), true),
        ("data.custom.x == 1", Value::Flag(false), true),
        ("data.custom.x == data.custom.x", Value::Flag(false), true),
        ("data.custom.x == \"\"", Value::Flag(true), true),
        ("data.custom.x != 1", Value::Flag(true), true),
        ("data.custom.x == null", Value::Flag(true), true),
        ("!(data.custom.x == 1)", Value::Flag(true), true),
        ("!data.custom.x", Value::Flag(true), true),
        ("!data.custom.x && data.custom.x != true", Value::Flag(true), true),
        ("!data.custom.y", Value::Flag(true), true),
        ("data.custom.x || data.custom.y == 2", Value::Flag(false), true),
        ("data.custom.x ? 1 : 2", Value::Number(Rational::integer(2)), true),
        ("data.custom.y < data.custom.z", Value::Flag(false), true),
        ("data.custom.y + data.custom.z", Value::Null, true),
        ("data.custom.z + data.custom.z", Value::Null, false),
    ] {
        let expr = Expr::lower(source, &mut fields.clone()).unwrap();
        assert_eq!(expr.eval(&fields), ours, "{source}");
        let other = fields.interpreted(source);
        assert_eq!(other.is_err(), fails, "{source}: {other:?}");
        assert!(other.is_err() || !same(&ours, &other.unwrap()), "{source} does not differ");
    }
}
