//! Expressions and filters: CEL syntax, type-checked, lowered once to a tree over numbered
//! variables and evaluated exactly.
//!
//! Invariants: a lowered expression cannot fail to evaluate: a division by zero, a missing field
//! or a comparison of different types answers [`Value::Null`] or false; numbers are rationals.
//! It does not know what the variables are: a [`Scope`] names them, [`Values`] gives them.

use std::cmp::Ordering;

use cel::{
    common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SourceInfo, operators},
    parser::Parser,
};

use crate::rational::Rational;

/// The static type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An exact number.
    Number,
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// Known only when it is read (custom fields).
    Any,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Number => "a number",
            Type::Text => "text",
            Type::Flag => "true or false",
            Type::Any => "of any type",
        }
    }

    fn fits(self, wanted: Type) -> bool {
        self == wanted || self == Type::Any || wanted == Type::Any
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
    Text(&'a str),
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
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    If,
    In,
    StartsWith,
    EndsWith,
    Contains,
    Present,
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
        let (parsed, info) =
            Parser::new().parse_with_source_info(source).map_err(|errors| problem_of(source, &errors))?;
        let (root, kind) = Lowering { info, scope }.node(&parsed)?;
        Ok(Expr { root, kind })
    }

    /// The value.
    pub fn eval<'a>(&'a self, values: &'a dyn Values) -> Value<'a> {
        self.root.eval(values)
    }

    /// Whether a filter holds; null is false.
    pub fn holds(&self, values: &dyn Values) -> bool {
        self.eval(values) == Value::Flag(true)
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
        self.root.reads(slot)
    }

    /// Replaces variable `slot` by the quotient of two others: how a mean becomes a sum over a count.
    pub fn divide(&mut self, slot: usize, num: usize, den: usize) {
        self.root.divide(slot, num, den);
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

fn problem_of(source: &str, errors: &cel::ParseErrors) -> Problem {
    let Some(first) = errors.errors.first() else { return Problem { at: 0, message: "it does not parse".to_owned() } };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(0));
    let before: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(|l| l.chars().count()).sum();
    Problem { at: before + column.saturating_sub(1), message: syntax(&first.msg) }
}

/// The parser lists its tokens; a person is told what stands in the way.
fn syntax(message: &str) -> String {
    let quoted = message.split_once(" '").and_then(|(_, rest)| rest.split_once('\''));
    let wrong = match quoted {
        Some(("<EOF>", _)) => "the expression ends too early".to_owned(),
        Some((token, _)) => format!("`{token}` is not expected here"),
        None => message.trim_start_matches("Syntax error: ").to_owned(),
    };
    format!("{wrong}; an expression looks like `a + b`, `a == \"text\" && b > 2` or `a in [\"b\", \"c\"]`")
}

struct Lowering<'a> {
    info: SourceInfo,
    scope: &'a mut dyn Scope,
}

type Lowered = Result<(Node, Type), Problem>;

impl Lowering<'_> {
    fn fail<T>(&self, at: &IdedExpr, message: impl Into<String>) -> Result<T, Problem> {
        let mut first = at;
        while let Cel::Select(select) = &first.expr {
            first = &select.operand;
        }
        let at = self.info.offset_for(first.id).map_or(0, |(start, _)| start as usize);
        Err(Problem { at, message: message.into() })
    }

    fn node(&mut self, from: &IdedExpr) -> Lowered {
        match &from.expr {
            Cel::Literal(literal) => self.literal(from, literal),
            Cel::Ident(_) | Cel::Select(_) => self.variable(from),
            Cel::Call(call) => self.call(from, call),
            _ => self.fail(from, "only fields, literals, operators and `in [..]` are supported here"),
        }
    }

    fn literal(&self, from: &IdedExpr, literal: &LiteralValue) -> Lowered {
        Ok(match literal {
            LiteralValue::Boolean(flag) => (Node::Flag(*flag.inner()), Type::Flag),
            LiteralValue::Int(number) => (Node::Number(Rational::integer((*number.inner()).into())), Type::Number),
            LiteralValue::UInt(number) => (Node::Number(Rational::integer((*number.inner()).into())), Type::Number),
            // The shortest decimal that is this double: what the author wrote.
            LiteralValue::Double(number) => match Rational::parse(&format!("{}", number.inner())) {
                Some(exact) => (Node::Number(exact), Type::Number),
                None => return self.fail(from, "the number is out of range"),
            },
            LiteralValue::String(text) => (Node::Text(text.inner().into()), Type::Text),
            LiteralValue::Null => (Node::Null, Type::Any),
            LiteralValue::Bytes(_) => return self.fail(from, "bytes are not supported here"),
        })
    }

    fn variable(&mut self, from: &IdedExpr) -> Lowered {
        let (mut path, mut test, mut at) = (Vec::new(), false, from);
        loop {
            match &at.expr {
                Cel::Ident(name) => {
                    path.push(name.as_str());
                    break;
                }
                Cel::Select(select) => {
                    test |= select.test;
                    path.push(select.field.as_str());
                    at = &select.operand;
                }
                _ => return self.fail(at, "a field name is expected before the dot"),
            }
        }
        path.reverse();
        match self.scope.resolve(&path) {
            Ok((slot, _)) if test => Ok((Node::Call(Op::Present, Box::new([Node::Variable(slot)])), Type::Flag)),
            Ok((slot, kind)) => Ok((Node::Variable(slot), kind)),
            Err(message) => self.fail(at, message),
        }
    }

    fn call(&mut self, from: &IdedExpr, call: &CallExpr) -> Lowered {
        let Some((op, wanted, kind)) = signature(&call.func_name) else {
            return self.fail(from, format!("`{}` is not supported here", call.func_name));
        };
        if op == Op::In {
            return self.membership(from, call);
        }
        let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let mut nodes = Vec::with_capacity(operands.len());
        let mut kinds = Vec::with_capacity(operands.len());
        for (index, operand) in operands.iter().enumerate() {
            let (node, found) = self.node(operand)?;
            let wanted = if op == Op::If && index > 0 { Type::Any } else { wanted };
            if !found.fits(wanted) {
                return self.fail(operand, format!("this is {}, {} is expected", found.name(), wanted.name()));
            }
            nodes.push(node);
            kinds.push(found);
        }
        let alike = if op == Op::If { &kinds[1..] } else { &kinds[..] };
        if let [left, right] = alike
            && !left.fits(*right)
        {
            let sides = format!("the left side is {}, the right side {}", left.name(), right.name());
            return self.fail(from, format!("{sides}; both have to be of one type"));
        }
        let kind = if op == Op::If { kinds[1] } else { kind };
        Ok((Node::Call(op, nodes.into()), kind))
    }

    /// `x in [a, b]` is `x == a || x == b`.
    fn membership(&mut self, from: &IdedExpr, call: &CallExpr) -> Lowered {
        let [needle, list] = call.args.as_slice() else { return self.fail(from, "`in` takes two sides") };
        let Cel::List(list) = &list.expr else {
            return self.fail(list, "a list such as [\"a\", \"b\"] is expected after `in`");
        };
        let (needle, kind) = self.node(needle)?;
        let mut nodes = vec![needle];
        for element in &list.elements {
            let (node, found) = self.node(element)?;
            if !found.fits(kind) {
                return self.fail(element, format!("this is {}, {} is expected", found.name(), kind.name()));
            }
            nodes.push(node);
        }
        Ok((Node::Call(Op::In, nodes.into()), Type::Flag))
    }
}

/// Operator, type of its operands, type of its result.
fn signature(name: &str) -> Option<(Op, Type, Type)> {
    use Type::{Any, Flag, Number, Text};
    Some(match name {
        operators::ADD => (Op::Add, Number, Number),
        operators::SUBSTRACT => (Op::Sub, Number, Number),
        operators::MULTIPLY => (Op::Mul, Number, Number),
        operators::DIVIDE => (Op::Div, Number, Number),
        operators::NEGATE => (Op::Neg, Number, Number),
        operators::LOGICAL_NOT => (Op::Not, Flag, Flag),
        operators::LOGICAL_AND => (Op::And, Flag, Flag),
        operators::LOGICAL_OR => (Op::Or, Flag, Flag),
        operators::EQUALS => (Op::Equal, Any, Flag),
        operators::NOT_EQUALS => (Op::Unequal, Any, Flag),
        operators::LESS => (Op::Less, Any, Flag),
        operators::LESS_EQUALS => (Op::LessEqual, Any, Flag),
        operators::GREATER => (Op::Greater, Any, Flag),
        operators::GREATER_EQUALS => (Op::GreaterEqual, Any, Flag),
        operators::CONDITIONAL => (Op::If, Flag, Any),
        operators::IN => (Op::In, Any, Flag),
        "startsWith" => (Op::StartsWith, Text, Flag),
        "endsWith" => (Op::EndsWith, Text, Flag),
        "contains" => (Op::Contains, Text, Flag),
        _ => return None,
    })
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

    fn reads(&self, slot: usize) -> bool {
        match self {
            Node::Variable(found) => *found == slot,
            Node::Call(_, parts) => parts.iter().any(|part| part.reads(slot)),
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

    fn divides(&self) -> bool {
        matches!(self, Node::Call(op, parts) if *op == Op::Div || parts.iter().any(Node::divides))
    }

    fn eval<'a>(&'a self, values: &'a dyn Values) -> Value<'a> {
        match self {
            Node::Null => Value::Null,
            Node::Number(number) => Value::Number(*number),
            Node::Text(text) => Value::Text(text),
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
        Op::In => Value::Flag(parts[1..].iter().any(|part| part.eval(values) == first)),
        Op::Present => Value::Flag(first != Value::Null),
        Op::Not => Value::Flag(first == Value::Flag(false)),
        Op::Neg => number(match first {
            Value::Number(a) => a.neg(),
            _ => None,
        }),
        _ => binary(op, &first, &parts[1].eval(values)),
    }
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
        (Op::Equal, a, b) => Value::Flag(a == b),
        (Op::Unequal, a, b) => Value::Flag(a != b),
        (Op::StartsWith, Value::Text(a), Value::Text(b)) => Value::Flag(a.starts_with(b)),
        (Op::EndsWith, Value::Text(a), Value::Text(b)) => Value::Flag(a.ends_with(b)),
        (Op::Contains, Value::Text(a), Value::Text(b)) => Value::Flag(a.contains(b)),
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
                _ => Err(format!("there is no `{}`", path.join("."))),
            }
        }
    }

    impl Values for Fields {
        fn get(&self, slot: usize) -> Value<'_> {
            match slot {
                0 => Value::Number(Rational::integer(7)),
                1 => Value::Number(Rational::integer(0)),
                2 => Value::Text("nps"),
                _ => Value::Null,
            }
        }
    }

    fn eval(source: &str) -> String {
        match Expr::lower(source, &mut Fields) {
            Ok(expr) => match expr.eval(&Fields) {
                Value::Number(n) => format!("{}/{}", n.num(), n.den()),
                value => format!("{value:?}"),
            },
            Err(problem) => format!("{}: {}", problem.at, problem.message),
        }
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
        ] {
            assert_eq!(eval(source), expected, "{source}");
        }
    }

    #[test]
    fn problems_say_where() {
        for (source, expected) in [
            ("a + data.kind", "4: this is text, a number is expected"),
            ("a + nope", "4: there is no `nope`"),
            ("data.kind == 3", "10: the left side is text, the right side a number; both have to be of one type"),
            ("[a].map(x, x)", "7: only fields, literals, operators and `in [..]` are supported here"),
        ] {
            assert_eq!(eval(source), expected, "{source}");
        }
        assert!(eval("a +").starts_with("3: the expression ends too early; "), "{}", eval("a +"));
        assert!(eval("a ) b").starts_with("2: `)` is not expected here; "), "{}", eval("a ) b"));
        assert!(eval("\"a").contains("; an expression looks like"), "{}", eval("\"a"));
    }

    #[test]
    fn a_ratio_divides_once() {
        assert!(Expr::lower("100 * a / b", &mut Fields).unwrap().ratio().is_some());
        assert!(Expr::lower("(a / b) / b", &mut Fields).unwrap().ratio().is_none());
        assert!(Expr::lower("a", &mut Fields).unwrap().ratio().is_none());
    }
}
