//! `expr`: a condition on the value as it is, such as `value < 40`.

use super::{Answer, Check, Condition, Context, Point};
use crate::scope::Names;

/// An expression over the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level(pub(crate) Condition);

impl Check for Level {
    fn check(&self, _: &[Point], names: &Names, context: &Context<'_>) -> Answer {
        Answer::plain(self.0.expr.holds(&context.view(names)), context)
    }

    fn words(&self) -> String {
        format!("`{}`", self.0.text)
    }
}
