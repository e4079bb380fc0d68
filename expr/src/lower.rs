//! From CEL's syntax tree to ours: names resolved, types checked, nulls and fields without a type settled.
//!
//! Invariants: what is lowered here cannot fail to evaluate. A field whose type is known only when it is read is cast to
//! the type of what it meets, so 12, 12.0 and "12" are one value; `==` never sees a null.

use std::borrow::Cow;

use cel::{
    common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SourceInfo, operators},
    parser::Parser,
};

use super::{Expr, Node, Op, Problem, Scope, Type};
use crate::{Value, rational::Rational};

/// Parses, checks and lowers `source`.
pub(super) fn lower(source: &str, scope: &mut dyn Scope) -> Result<Expr, Problem> {
    let (parsed, info) = Parser::new().parse_with_source_info(source).map_err(|errors| problem_of(source, &errors))?;
    let (root, kind) = Lowering { info, scope }.node(&parsed)?;
    Ok(Expr { root, kind })
}

fn problem_of(source: &str, errors: &cel::ParseErrors) -> Problem {
    let Some(first) = errors.errors.first() else { return Problem { at: 0, message: "it does not parse".to_owned() } };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(0));
    let before: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(|l| l.chars().count()).sum();
    Problem { at: before + column.saturating_sub(1), message: syntax(&first.msg) }
}

/// Rewords a syntax error: the parser lists its tokens, a person wants to know which one is wrong.
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
            Cel::Call(call) if call.func_name == operators::INDEX => self.variable(from),
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

    /// `a.b`, `a["b"]`, and `a[0]` for the first item of a list.
    fn variable(&mut self, from: &IdedExpr) -> Lowered {
        let (mut path, mut test, mut at) = (Vec::<Cow<'_, str>>::new(), false, from);
        loop {
            match &at.expr {
                Cel::Ident(name) => {
                    path.push(Cow::Borrowed(name.as_str()));
                    break;
                }
                Cel::Select(select) => {
                    test |= select.test;
                    path.push(Cow::Borrowed(select.field.as_str()));
                    at = &select.operand;
                }
                Cel::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                    path.push(self.name(&call.args[1])?);
                    at = &call.args[0];
                }
                _ => return self.fail(at, "a field name is expected before the dot"),
            }
        }
        path.reverse();
        let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
        match self.scope.resolve(&path) {
            Ok((slot, _)) if test => Ok((Node::Call(Op::Present, Box::new([Node::Variable(slot)])), Type::Flag)),
            Ok((slot, kind)) => Ok((Node::Variable(slot), kind)),
            Err(message) => self.fail(at, message),
        }
    }

    /// What brackets name: a field, or an item by its place.
    fn name<'e>(&self, from: &'e IdedExpr) -> Result<Cow<'e, str>, Problem> {
        match &from.expr {
            Cel::Literal(LiteralValue::String(name)) => Ok(Cow::Borrowed(name.inner())),
            Cel::Literal(LiteralValue::Int(place)) => Ok(Cow::Owned(place.inner().to_string())),
            _ => self.fail(from, "a name in quotes is expected in the brackets"),
        }
    }

    fn call(&mut self, from: &IdedExpr, call: &CallExpr) -> Lowered {
        if call.func_name == operators::IN {
            return self.membership(from, call);
        }
        let Some((op, wanted, kind)) = signature(&call.func_name) else {
            return self.fail(from, format!("`{}` is not supported here", call.func_name));
        };
        let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        self.arity(from, call, op, operands.len())?;
        let found = operands.iter().map(|operand| self.node(operand)).collect::<Result<Vec<_>, _>>()?;
        if op == Op::Add && is_text(&found) {
            let sides = found.into_iter().map(|(node, kind)| node.cast(kind, Type::Text));
            return Ok((Node::Call(Op::Join, sides.collect()), Type::Text));
        }
        let mut typed = Vec::with_capacity(operands.len());
        for (index, (operand, found)) in operands.iter().zip(found).enumerate() {
            let wanted = if op == Op::If && index > 0 { Type::Any } else { wanted };
            typed.push(self.fitted(operand, found, wanted)?);
        }
        self.alike(from, if op == Op::If { &typed[1..] } else { &typed })?;

        let kinds: Vec<Type> = typed.iter().map(|(_, kind)| *kind).collect();
        if op == Op::Mul && kinds == [Type::Money, Type::Money] {
            return self.fail(from, "money times money is no amount; multiply by a count or divide one by the other");
        }
        if op == Op::Div && zero(&typed[1].0) {
            return self.fail(operands[1], "this is always 0, and nothing is divided by 0");
        }
        let kind = match op {
            Op::Default if kinds.contains(&Type::Any) => Type::Any,
            Op::Default => kinds[0],
            Op::AsNumber | Op::AsText => return Ok((converted(op, typed), kind)),
            Op::If if kinds[1..].contains(&Type::Any) => Type::Any,
            Op::If => kinds[1],
            Op::Add | Op::Sub | Op::Mul | Op::Neg if kinds.contains(&Type::Money) => Type::Money,
            Op::Div if kinds[0] == Type::Money && kinds[1] != Type::Money => Type::Money,
            _ => kind,
        };
        Ok((node(call.func_name.as_str(), op, typed), kind))
    }

    /// Refuses a function with too few or too many values; the parser counts those of operators.
    fn arity(&self, from: &IdedExpr, call: &CallExpr, op: Op, found: usize) -> Result<(), Problem> {
        let expected = match op {
            Op::Upper | Op::Lower | Op::Trim | Op::Nfc | Op::AsNumber | Op::AsText => 1,
            Op::StartsWith | Op::EndsWith | Op::Contains | Op::Before | Op::After | Op::Default => 2,
            Op::Replace => 3,
            _ => return Ok(()),
        };
        if found == expected {
            return Ok(());
        }
        let values = if expected == 1 { "value" } else { "values" };
        self.fail(from, format!("`{}` takes {expected} {values}, not {found}", call.func_name))
    }

    /// An operand, as the type that its place asks for.
    fn fitted(&self, from: &IdedExpr, (node, found): (Node, Type), wanted: Type) -> Lowered {
        if !found.fits(wanted) {
            return self.fail(from, format!("this is {}, {} is expected", found.name(), wanted.name()));
        }
        Ok((node.cast(found, wanted), if found == Type::Any { wanted } else { found }))
    }

    fn alike(&self, from: &IdedExpr, sides: &[(Node, Type)]) -> Result<(), Problem> {
        match sides {
            [(_, left), (_, right)] if !left.fits(*right) => {
                let sides = format!("the left side is {}, the right side {}", left.name(), right.name());
                self.fail(from, format!("{sides}; both have to be of one type"))
            }
            _ => Ok(()),
        }
    }

    /// `x in [a, b]` is `x == a || x == b`.
    fn membership(&mut self, from: &IdedExpr, call: &CallExpr) -> Lowered {
        let [needle, list] = call.args.as_slice() else { return self.fail(from, "`in` takes two sides") };
        let Cel::List(list) = &list.expr else {
            return self.fail(list, "a list such as [\"a\", \"b\"] is expected after `in`");
        };
        let needle = self.node(needle)?;
        let mut any = Node::Flag(false);
        for element in &list.elements {
            let (node, found) = self.node(element)?;
            if !found.fits(needle.1) {
                return self.fail(element, format!("this is {}, {} is expected", found.name(), needle.1.name()));
            }
            any = Node::Call(Op::Or, Box::new([any, equal(needle.clone(), (node, found))]));
        }
        Ok((any, Type::Flag))
    }
}

/// Whether a node is the number 0 whatever the variables.
fn zero(node: &Node) -> bool {
    struct Nothing;

    impl super::Values for Nothing {
        fn get(&self, _: usize) -> Value<'_> {
            Value::Null
        }
    }

    let mut slots = Vec::new();
    node.slots(&mut slots);
    slots.is_empty() && node.eval(&Nothing) == Value::Number(Rational::ZERO)
}

/// Whether these operands of `+` are joined: one is text, and none is known to be anything else.
fn is_text(sides: &[(Node, Type)]) -> bool {
    sides.iter().any(|(_, kind)| *kind == Type::Text)
        && sides.iter().all(|(_, kind)| matches!(kind, Type::Text | Type::Any))
}

/// The only operand, read as a number or as text.
fn converted(op: Op, operands: Vec<(Node, Type)>) -> Node {
    Node::Call(op, operands.into_iter().map(|(node, _)| node).collect())
}

fn node(name: &str, op: Op, operands: Vec<(Node, Type)>) -> Node {
    match (op, <[(Node, Type); 2]>::try_from(operands)) {
        (Op::Equal, Ok([left, right])) => {
            let equal = equal(left, right);
            if name == operators::NOT_EQUALS { not(equal) } else { equal }
        }
        (Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual, Ok([left, right])) => {
            let (left_kind, right_kind) = (left.1, right.1);
            Node::Call(op, Box::new([left.0.cast(left_kind, right_kind), right.0.cast(right_kind, left_kind)]))
        }
        (op, Ok(both)) => Node::Call(op, both.into_iter().map(|(node, _)| node).collect()),
        (op, Err(operands)) => Node::Call(op, operands.into_iter().map(|(node, _)| node).collect()),
    }
}

/// `==`: beside the literals `null` and `""` it asks for what is missing, else a null equals nothing.
fn equal(left: (Node, Type), right: (Node, Type)) -> Node {
    let one = |op, node| Node::Call(op, Box::new([node]));
    let empty = |node: &Node| matches!(node, Node::Text(text) if text.is_empty());
    match (left, right) {
        ((Node::Null, _), (other, _)) | ((other, _), (Node::Null, _)) => not(one(Op::Present, other)),
        ((text, _), (other, _)) | ((other, _), (text, _)) if empty(&text) => one(Op::Blank, other),
        ((left, left_kind), (right, right_kind)) => {
            Node::Call(Op::Equal, Box::new([left.cast(left_kind, right_kind), right.cast(right_kind, left_kind)]))
        }
    }
}

fn not(node: Node) -> Node {
    Node::Call(Op::Not, Box::new([node]))
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
        operators::NOT_EQUALS => (Op::Equal, Any, Flag),
        operators::LESS => (Op::Less, Any, Flag),
        operators::LESS_EQUALS => (Op::LessEqual, Any, Flag),
        operators::GREATER => (Op::Greater, Any, Flag),
        operators::GREATER_EQUALS => (Op::GreaterEqual, Any, Flag),
        operators::CONDITIONAL => (Op::If, Flag, Any),
        "startsWith" => (Op::StartsWith, Text, Flag),
        "endsWith" => (Op::EndsWith, Text, Flag),
        "contains" => (Op::Contains, Text, Flag),
        "text" => (Op::AsText, Any, Text),
        "number" => (Op::AsNumber, Any, Number),
        "upper" => (Op::Upper, Text, Text),
        "lower" => (Op::Lower, Text, Text),
        "trim" => (Op::Trim, Text, Text),
        "nfc" => (Op::Nfc, Text, Text),
        "replace" => (Op::Replace, Text, Text),
        "before" => (Op::Before, Text, Text),
        "after" => (Op::After, Text, Text),
        "default" => (Op::Default, Any, Any),
        _ => return None,
    })
}
