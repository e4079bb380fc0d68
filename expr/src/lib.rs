//! Expressions and filters: CEL syntax, type-checked, lowered once to a tree over numbered
//! variables and evaluated exactly.
//!
//! Invariants: a lowered expression cannot fail to evaluate: a division by zero, a missing field
//! or a comparison of different types gives [`Value::Null`] or false; numbers are rationals.
//! It does not know what the variables are: a [`Scope`] names them, [`Values`] gives them.
//!
//! Null, which is a missing field, a division by zero, or an operand of another type:
//!
//! | expression | with `x` null |
//! |---|---|
//! | `x == a`, `x < a`, `x in [a, b]`, `x.contains(a)` | false |
//! | `x != a` | true: it is `!(x == a)` |
//! | `x == null`, `x == ""`, `!has(x)` | true |
//! | `x` as a condition: of `&&`, `\|\|`, `? :`, the whole filter | false |
//! | `!x` | true |
//! | `x + a`, `-x` | null |
//! | `default(x, a)` | `a`, and where `x` is an empty text, too |
//! | `upper(x)`, `lower`, `trim`, `nfc`, `replace`, `before`, `after` | null |
//!
//! Text and text are joined by `+`; `text(x)` and `number(x)` read one as the other. `before(x, "-")` is what precedes the
//! first `-`, or all of `x` without one; `after(x, "-")` is what follows it, or nothing. Functions may be written as
//! methods: `x.trim()`.
//!
//! A field of [`Type::Any`] is read as the type of what it meets: as a number beside a number, as true or false where
//! a condition is expected, as text beside text. What does not read so is null.

use std::{borrow::Cow, cmp::Ordering};

use unicode_normalization::UnicodeNormalization as _;

use rational::Rational;

mod lower;
pub mod rational;

/// The static type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An exact number.
    Number,
    /// A number that is an amount of money.
    Money,
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// Known only when it is read (custom fields, traits).
    Any,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Number => "a number",
            Type::Money => "money",
            Type::Text => "text",
            Type::Flag => "true or false",
            Type::Any => "of any type",
        }
    }

    fn fits(self, wanted: Type) -> bool {
        self.plain() == wanted.plain() || self == Type::Any || wanted == Type::Any
    }

    /// Money is a number like any other once it is compared or added.
    fn plain(self) -> Type {
        if self == Type::Money { Type::Number } else { self }
    }
}

/// A value while evaluating.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing: a missing field, a division by zero.
    Null,
    /// A number.
    Number(Rational),
    /// Text.
    Text(Cow<'a, str>),
    /// True or false.
    Flag(bool),
}

/// Names that an expression may use.
pub trait Scope {
    /// Number and type of the variable with this path (`data.kind` is `["data", "kind"]`), or what
    /// is wrong with it.
    ///
    /// # Errors
    /// A message that says which names there are.
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String>;
}

/// Values of the variables.
pub trait Values {
    /// The value of variable `slot`.
    fn get(&self, slot: usize) -> Value<'_>;

    /// The number that a text means; null where it is none.
    fn number(&self, text: &str) -> Option<Rational> {
        Rational::parse(text)
    }
}

/// What is wrong with an expression, and where: `at` counts characters from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Characters before the place.
    pub at: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Neg,
    Not,
    And,
    Or,
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    If,
    StartsWith,
    EndsWith,
    Contains,
    /// Whether there is a value.
    Present,
    /// Whether there is no value, or an empty text: dimensions do not tell the two apart.
    Blank,
    AsNumber,
    AsText,
    AsFlag,
    /// One text after the other.
    Join,
    Upper,
    Lower,
    Trim,
    /// Unicode's canonical composition.
    Nfc,
    Replace,
    Before,
    After,
    /// The first unless it is blank, else the second.
    Default,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Number(Rational),
    Text(Box<str>),
    Flag(bool),
    Variable(usize),
    Call(Op, Box<[Node]>),
}

/// Variables that are added (true) or subtracted.
pub type Sum = Vec<(usize, bool)>;

/// A lowered expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    root: Node,
    /// Its type.
    pub kind: Type,
}

impl Expr {
    /// Parses, checks and lowers `source`.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn lower(source: &str, scope: &mut dyn Scope) -> Result<Expr, Problem> {
        lower::lower(source, scope)
    }

    /// The same as this type; `None` if it is of another one.
    pub fn fit(self, wanted: Type) -> Option<Expr> {
        let root = match self.kind {
            Type::Any => self.root.cast(Type::Any, wanted),
            found if found.fits(wanted) => self.root,
            _ => return None,
        };
        Some(Expr { root, ..self })
    }

    /// The conditions that all have to hold for this one to hold: the sides of each outer `&&`.
    pub fn conjuncts(self) -> Vec<Expr> {
        match self.root {
            Node::Call(Op::And, parts) => {
                let sides = parts.into_iter().map(|root| Expr { root, kind: Type::Flag });
                sides.flat_map(Expr::conjuncts).collect()
            }
            root => vec![Expr { root, ..self }],
        }
    }

    /// The condition that holds where both do.
    pub fn and(self, other: Expr) -> Expr {
        Expr { root: Node::Call(Op::And, Box::new([self.root, other.root])), kind: Type::Flag }
    }

    /// The value.
    pub fn eval<'a>(&'a self, values: &'a dyn Values) -> Value<'a> {
        self.root.eval(values)
    }

    /// Whether a filter holds; null is false.
    pub fn holds(&self, values: &dyn Values) -> bool {
        self.eval(values) == Value::Flag(true)
    }

    /// The variables that it reads, each at each of its places.
    pub fn slots(&self) -> Vec<usize> {
        let mut slots = Vec::new();
        self.root.slots(&mut slots);
        slots
    }

    /// Whether it divides anywhere, so that it can be null.
    pub fn divides(&self) -> bool {
        self.root.divides()
    }

    /// Whether it is a sum or difference of variables and of whole or fractional multiples of them: then its values of
    /// two windows add up to that of both.
    pub fn adds(&self) -> bool {
        self.root.adds()
    }

    /// Whether it reads variable `slot`.
    pub fn reads(&self, slot: usize) -> bool {
        self.slots().contains(&slot)
    }

    /// Replaces variable `slot` by the quotient of two others: how a mean becomes a sum over a count.
    pub fn divide(&mut self, slot: usize, num: usize, den: usize) {
        self.root.divide(slot, num, den);
    }

    /// Takes the sums out of it: each largest part that only adds and subtracts variables of which `is_amount` holds, at
    /// least two, becomes a variable of its own, numbered from `first` on in the order of `sums`.
    pub fn take_sums(&mut self, is_amount: &dyn Fn(usize) -> bool, first: usize, sums: &mut Vec<Sum>) {
        self.root.take_sums(is_amount, first, sums);
    }

    /// Numerator and denominator of a plain ratio: a top-level division of two expressions that
    /// divide nothing themselves.
    pub fn ratio(&self) -> Option<(Expr, Expr)> {
        match &self.root {
            Node::Call(Op::Div, parts) if !parts.iter().any(Node::divides) => Some((
                Expr { root: parts[0].clone(), kind: Type::Number },
                Expr { root: parts[1].clone(), kind: Type::Number },
            )),
            _ => None,
        }
    }
}

impl Node {
    fn divide(&mut self, slot: usize, num: usize, den: usize) {
        match self {
            Node::Variable(found) if *found == slot => {
                *self = Node::Call(Op::Div, Box::new([Node::Variable(num), Node::Variable(den)]));
            }
            Node::Call(_, parts) => parts.iter_mut().for_each(|part| part.divide(slot, num, den)),
            _ => {}
        }
    }

    fn slots(&self, found: &mut Vec<usize>) {
        match self {
            Node::Variable(slot) => found.push(*slot),
            Node::Call(_, parts) => parts.iter().for_each(|part| part.slots(found)),
            _ => {}
        }
    }

    fn take_sums(&mut self, is_amount: &dyn Fn(usize) -> bool, first: usize, sums: &mut Vec<Sum>) {
        let mut sum = Sum::new();
        if self.sum(is_amount, true, &mut sum) {
            if sum.len() > 1 {
                let place = sums.iter().position(|known| *known == sum).unwrap_or_else(|| {
                    sums.push(sum);
                    sums.len() - 1
                });
                *self = Node::Variable(first + place);
            }
        } else if let Node::Call(_, parts) = self {
            parts.iter_mut().for_each(|part| part.take_sums(is_amount, first, sums));
        }
    }

    /// Whether it is a sum of amounts, which are noted; some may be noted where it is none.
    fn sum(&self, is_amount: &dyn Fn(usize) -> bool, plus: bool, found: &mut Sum) -> bool {
        match self {
            Node::Variable(slot) if is_amount(*slot) => {
                found.push((*slot, plus));
                true
            }
            Node::Call(Op::Add, parts) => parts.iter().all(|part| part.sum(is_amount, plus, found)),
            Node::Call(Op::Sub, parts) => parts[0].sum(is_amount, plus, found) && parts[1].sum(is_amount, !plus, found),
            Node::Call(Op::Neg, parts) => parts[0].sum(is_amount, !plus, found),
            _ => false,
        }
    }

    fn adds(&self) -> bool {
        match self {
            Node::Variable(_) => true,
            Node::Call(Op::Add | Op::Sub | Op::Neg, parts) => parts.iter().all(Node::adds),
            Node::Call(Op::Mul, parts) => {
                parts.iter().any(|part| matches!(part, Node::Number(_)))
                    && parts.iter().all(|part| matches!(part, Node::Number(_)) || part.adds())
            }
            _ => false,
        }
    }

    /// This node, of type `found`, where it meets one of type `wanted`.
    fn cast(self, found: Type, wanted: Type) -> Node {
        let op = match wanted {
            _ if found != Type::Any => return self,
            Type::Number | Type::Money => Op::AsNumber,
            Type::Text => Op::AsText,
            Type::Flag => Op::AsFlag,
            Type::Any => return self,
        };
        Node::Call(op, Box::new([self]))
    }

    fn divides(&self) -> bool {
        matches!(self, Node::Call(op, parts) if *op == Op::Div || parts.iter().any(Node::divides))
    }

    fn eval<'a>(&'a self, values: &'a dyn Values) -> Value<'a> {
        match self {
            Node::Null => Value::Null,
            Node::Number(number) => Value::Number(*number),
            Node::Text(text) => Value::Text(Cow::Borrowed(text)),
            Node::Flag(flag) => Value::Flag(*flag),
            Node::Variable(slot) => values.get(*slot),
            Node::Call(op, parts) => call(*op, parts, values),
        }
    }
}

fn call<'a>(op: Op, parts: &'a [Node], values: &'a dyn Values) -> Value<'a> {
    let first = parts[0].eval(values);
    match op {
        Op::And => Value::Flag(first == Value::Flag(true) && parts[1].eval(values) == Value::Flag(true)),
        Op::Or => Value::Flag(first == Value::Flag(true) || parts[1].eval(values) == Value::Flag(true)),
        Op::If => parts[if first == Value::Flag(true) { 1 } else { 2 }].eval(values),
        Op::Present => Value::Flag(first != Value::Null),
        Op::Blank => Value::Flag(is_blank(&first)),
        Op::Not => Value::Flag(first != Value::Flag(true)),
        Op::Neg => number(match first {
            Value::Number(a) => a.neg(),
            _ => None,
        }),
        Op::AsNumber => match first {
            Value::Text(text) => number(values.number(&text)),
            first => first.read_as(op),
        },
        Op::AsText | Op::AsFlag => first.read_as(op),
        Op::Default if is_blank(&first) => parts[1].eval(values),
        Op::Default => first,
        Op::Upper | Op::Lower | Op::Trim | Op::Nfc => changed(op, first),
        Op::Replace => match (first, parts[1].eval(values), parts[2].eval(values)) {
            (Value::Text(text), Value::Text(from), Value::Text(to)) => Value::Text(text.replace(&*from, &to).into()),
            _ => Value::Null,
        },
        _ => binary(op, &first, &parts[1].eval(values)),
    }
}

impl<'a> Value<'a> {
    /// The value as number, text or flag; null where it does not read so. Who gives the values reads a text as a number.
    fn read_as(self, op: Op) -> Value<'a> {
        match (op, self) {
            (Op::AsText, Value::Number(number)) => {
                number.decimal().map_or(Value::Null, |text| Value::Text(Cow::Owned(text)))
            }
            (Op::AsText, Value::Flag(flag)) => Value::Text(Cow::Borrowed(if flag { "true" } else { "false" })),
            (Op::AsFlag, Value::Text(text)) => match text.as_ref() {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                _ => Value::Null,
            },
            (Op::AsNumber, Value::Flag(_)) | (Op::AsFlag, Value::Number(_)) => Value::Null,
            (_, value) => value,
        }
    }
}

fn is_blank(value: &Value<'_>) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Text(text) if text.is_empty())
}

/// A text in another form; null of anything else.
fn changed(op: Op, value: Value<'_>) -> Value<'_> {
    let Value::Text(text) = value else { return Value::Null };
    Value::Text(match op {
        Op::Upper => text.to_uppercase().into(),
        Op::Lower => text.to_lowercase().into(),
        Op::Trim => text.trim().to_owned().into(),
        _ => text.nfc().collect::<String>().into(),
    })
}

fn number<'a>(value: Option<Rational>) -> Value<'a> {
    value.map_or(Value::Null, Value::Number)
}

fn binary<'a>(op: Op, left: &Value<'_>, right: &Value<'_>) -> Value<'a> {
    match (op, left, right) {
        (Op::Add, Value::Number(a), Value::Number(b)) => number(a.add(*b)),
        (Op::Sub, Value::Number(a), Value::Number(b)) => number(a.sub(*b)),
        (Op::Mul, Value::Number(a), Value::Number(b)) => number(a.mul(*b)),
        (Op::Div, Value::Number(a), Value::Number(b)) => number(a.div(*b)),
        // Two missing fields are not the same.
        (Op::Equal, a, b) => Value::Flag(a == b && *a != Value::Null),
        (Op::StartsWith, Value::Text(a), Value::Text(b)) => Value::Flag(a.starts_with(b.as_ref())),
        (Op::EndsWith, Value::Text(a), Value::Text(b)) => Value::Flag(a.ends_with(b.as_ref())),
        (Op::Contains, Value::Text(a), Value::Text(b)) => Value::Flag(a.contains(b.as_ref())),
        (Op::Join, Value::Text(a), Value::Text(b)) => Value::Text(format!("{a}{b}").into()),
        (Op::Before, Value::Text(a), Value::Text(b)) => {
            let end = a.find(b.as_ref()).unwrap_or(a.len());
            Value::Text(a[..end].to_owned().into())
        }
        (Op::After, Value::Text(a), Value::Text(b)) => {
            Value::Text(a.split_once(b.as_ref()).map_or("", |(_, after)| after).to_owned().into())
        }
        (Op::Less, a, b) => Value::Flag(order(a, b) == Some(Ordering::Less)),
        (Op::LessEqual, a, b) => Value::Flag(matches!(order(a, b), Some(Ordering::Less | Ordering::Equal))),
        (Op::Greater, a, b) => Value::Flag(order(a, b) == Some(Ordering::Greater)),
        (Op::GreaterEqual, a, b) => Value::Flag(matches!(order(a, b), Some(Ordering::Greater | Ordering::Equal))),
        _ => Value::Null,
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Some(a.compare(*b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Flag(a), Value::Flag(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "the interpreter takes a HashMap")]
mod against_cel;

#[cfg(test)]
mod tests {
    use super::*;

    struct Fields;

    impl Scope for Fields {
        fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
            match path {
                ["a"] => Ok((0, Type::Number)),
                ["b"] => Ok((1, Type::Number)),
                ["data", "kind"] => Ok((2, Type::Text)),
                ["data", "custom", "x"] => Ok((3, Type::Any)),
                ["sold"] => Ok((4, Type::Money)),
                ["data", "custom", "y"] => Ok((5, Type::Any)),
                ["data", "custom", "test"] => Ok((6, Type::Any)),
                _ => Err(format!("there is no `{}`", path.join("."))),
            }
        }
    }

    impl Values for Fields {
        fn get(&self, slot: usize) -> Value<'_> {
            match slot {
                0 => Value::Number(Rational::integer(7)),
                1 => Value::Number(Rational::integer(0)),
                2 => Value::Text("nps".into()),
                _ => Value::Null,
            }
        }
    }

    fn eval(source: &str) -> String {
        eval_with(source, &Fields)
    }

    fn eval_with(source: &str, values: &dyn Values) -> String {
        match Expr::lower(source, &mut Fields) {
            Ok(expr) => match expr.eval(values) {
                Value::Number(n) => format!("{}/{}", n.num(), n.den()),
                Value::Text(text) => format!("Text({text:?})"),
                value => format!("{value:?}"),
            },
            Err(problem) => format!("{}: {}", problem.at, problem.message),
        }
    }

    /// One value for every variable.
    struct All(Value<'static>);

    impl Values for All {
        fn get(&self, _: usize) -> Value<'_> {
            self.0.clone()
        }
    }

    /// Which of the conditions hold, for each value of `data.custom.x`.
    #[track_caller]
    fn table(value: &Value<'static>, conditions: &[(&str, bool)]) {
        for (condition, holds) in conditions {
            let expr = Expr::lower(condition, &mut Fields).unwrap().fit(Type::Flag).unwrap();
            assert_eq!(expr.holds(&All(value.clone())), *holds, "{condition} with {value:?}");
        }
    }

    #[test]
    fn a_missing_field_equals_nothing_and_is_no_condition() {
        table(
            &Value::Null,
            &[
                ("data.custom.x == 1", false),
                ("data.custom.x == true", false),
                ("data.custom.x == \"a\"", false),
                ("data.custom.x == data.custom.y", false),
                ("data.custom.x < 1", false),
                ("data.custom.x <= 1", false),
                ("data.custom.x > 1", false),
                ("data.custom.x >= 1", false),
                ("data.custom.x in [1, 2]", false),
                ("data.custom.x in [\"a\", null]", true),
                ("data.custom.x in [\"a\", \"\"]", true),
                ("data.custom.x.startsWith(\"a\")", false),
                ("data.custom.x.contains(\"\")", false),
                ("data.custom.x != 1", true),
                ("data.custom.x != true", true),
                ("data.custom.x != data.custom.y", true),
                ("!(data.custom.x > 1)", true),
                ("data.custom.x == null", true),
                ("data.custom.x != null", false),
                ("data.custom.x == \"\"", true),
                ("data.custom.x != \"\"", false),
                ("has(data.custom.x)", false),
                ("data.custom.x", false),
                ("!data.custom.x", true),
                ("!data.custom.x && true", true),
                ("data.custom.x || false", false),
                ("data.custom.x ? true : false", false),
                ("data.custom.x + 1 == 1", false),
            ],
        );
    }

    #[test]
    fn a_flag_a_number_and_a_text_of_the_same_letters_are_one_value() {
        let flag = [("data.custom.x", true), ("!data.custom.x", false), ("data.custom.x == true", true)];
        let text =
            [("data.custom.x == \"true\"", true), ("data.custom.x != true", false), ("data.custom.x > 1", false)];
        for value in [Value::Flag(true), Value::Text("true".into())] {
            table(&value, &flag);
            table(&value, &text);
        }
        table(
            &Value::Flag(false),
            &[("data.custom.x", false), ("!data.custom.x", true), ("data.custom.x != true", true)],
        );
        for value in [Value::Number(Rational::integer(12)), Value::Text("12".into()), Value::Text("12.0".into())] {
            table(
                &value,
                &[("data.custom.x == 12", true), ("data.custom.x == 12.0", true), ("data.custom.x > 11.5", true)],
            );
            table(
                &value,
                &[("data.custom.x in [11, 12]", true), ("data.custom.x + 1 == 13", true), ("!data.custom.x", true)],
            );
        }
        table(
            &Value::Number(Rational::integer(12)),
            &[("data.custom.x == \"12\"", true), ("data.custom.x == \"13\"", false)],
        );
        table(
            &Value::Text("a".into()),
            &[("data.custom.x == 12", false), ("data.custom.x != 12", true), ("data.custom.x", false)],
        );
        table(&Value::Text("".into()), &[("data.custom.x == \"\"", true), ("has(data.custom.x)", true)]);
    }

    #[test]
    fn a_condition_is_split_where_all_of_it_has_to_hold() {
        let expr = Expr::lower("a > 1 && (b == 0 || a == 2) && !data.custom.x", &mut Fields).unwrap();
        let slots: Vec<_> = expr.clone().conjuncts().iter().map(Expr::slots).collect();
        assert_eq!(slots, [vec![0], vec![1, 0], vec![3]]);
        let joined = expr.conjuncts().into_iter().reduce(Expr::and).unwrap();
        assert!(joined.holds(&Fields));
    }

    #[test]
    fn values() {
        for (source, expected) in [
            ("a * 0.75 - b", "21/4"),
            ("a / b", "Null"),
            ("data.kind == \"nps\" && a >= 7", "Flag(true)"),
            ("data.kind in [\"csat\", \"ces\"]", "Flag(false)"),
            ("has(data.custom.x)", "Flag(false)"),
            ("data.custom.x > 3", "Flag(false)"),
            ("b == 0 ? 1 : 2", "1/1"),
            ("-a + 1", "-6/1"),
            ("data.kind.startsWith(\"n\")", "Flag(true)"),
            ("data[\"kind\"] + \"-\" + text(a)", "Text(\"nps-7\")"),
            ("data.custom.x + \"-\"", "Null"),
            ("\"-\" + default(data.custom.x, \"none\")", "Text(\"-none\")"),
            ("default(data.kind, \"none\").upper()", "Text(\"NPS\")"),
            ("default(data.custom.x, 3) + 1", "4/1"),
            ("lower(\" ÄB \").trim()", "Text(\"äb\")"),
            ("nfc(\"a\\u0308\") == \"\\u00e4\"", "Flag(true)"),
            ("replace(data.kind, \"p\", \"--\")", "Text(\"n--s\")"),
            ("before(data.kind, \"p\") + after(data.kind, \"p\")", "Text(\"ns\")"),
            ("before(data.kind, \"x\") + after(data.kind, \"x\")", "Text(\"nps\")"),
            ("number(\"1.5\") * 2", "3/1"),
            ("number(data.kind)", "Null"),
            ("text(1.50)", "Text(\"1.5\")"),
        ] {
            assert_eq!(eval(source), expected, "{source}");
        }
    }

    #[test]
    fn problems_say_where() {
        for (source, expected) in [
            ("a + data.kind", "4: this is text, a number is expected"),
            ("a + nope", "4: there is no `nope`"),
            ("\"a\" + a", "0: this is text, a number is expected"),
            ("upper(a)", "6: this is a number, text is expected"),
            ("trim(data.kind, a)", "4: `trim` takes 1 value, not 2"),
            ("size(a)", "4: `size` is not supported here"),
            ("data[a]", "5: a name in quotes is expected in the brackets"),
            ("data.kind == 3", "10: the left side is text, the right side a number; both have to be of one type"),
            ("a / (1 - 1)", "7: this is always 0, and nothing is divided by 0"),
            ("a / 0", "4: this is always 0, and nothing is divided by 0"),
            ("a + sold * sold", "9: money times money is no amount; multiply by a count or divide one by the other"),
            ("sold == data.kind", "5: the left side is money, the right side text; both have to be of one type"),
            ("[a].map(x, x)", "7: only fields, literals, operators and `in [..]` are supported here"),
        ] {
            assert_eq!(eval(source), expected, "{source}");
        }
        assert!(eval("a +").starts_with("3: the expression ends too early; "), "{}", eval("a +"));
        assert!(eval("a ) b").starts_with("2: `)` is not expected here; "), "{}", eval("a ) b"));
        assert!(eval("\"a").contains("; an expression looks like"), "{}", eval("\"a"));
    }

    #[test]
    fn sums_of_amounts_are_taken_out_once() {
        let mut expr =
            Expr::lower("a * (sold - (sold - a)) / (sold + sold - -sold) + (sold + sold - -sold)", &mut Fields)
                .unwrap();
        let mut sums = Vec::new();
        expr.take_sums(&|slot| slot == 4, 10, &mut sums);
        assert_eq!(sums, [[(4, true), (4, true), (4, true)]]);
        assert_eq!(expr.slots(), [0, 4, 4, 0, 10, 10]);
    }

    #[test]
    fn a_ratio_divides_once() {
        assert!(Expr::lower("100 * a / b", &mut Fields).unwrap().ratio().is_some());
        assert!(Expr::lower("(a / b) / b", &mut Fields).unwrap().ratio().is_none());
        assert!(Expr::lower("a", &mut Fields).unwrap().ratio().is_none());
    }
}
