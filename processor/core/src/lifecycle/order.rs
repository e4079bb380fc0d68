//! Orders: how amounts are spread over the products of an order.
//!
//! Lines are before discount; discount and refunds are spread over them by amount, largest
//! remainder first, ties to the earlier line; what lines lack to the gross is product `""`.

use super::{FactType, FieldType, Part, Slot, Sort, Spelling};
use crate::{
    event::{Event, Message},
    expr::Type,
    vocabulary::{order_cancelled, order_completed as field},
};

const ORDER_ID: FieldType = FieldType::new("order", Type::Text, Spelling::Both);
const CHANNEL: FieldType = FieldType::dimension("channel", Spelling::Both);
const SOURCE: FieldType = FieldType::dimension("source", Spelling::Both);
const PRODUCT: FieldType = FieldType::dimension("product", Spelling::Dimension);

/// An order that was not cancelled, at the time of its completion. Amounts are minor units.
pub const ORDER: FactType = FactType {
    name: "order",
    event: "order.completed",
    sort: Sort::Happening,
    fields: &[
        FieldType::new("first", Type::Flag, Spelling::Short),
        ORDER_ID,
        CHANNEL,
        SOURCE,
        PRODUCT,
        FieldType::new("net", Type::Money, Spelling::Short),
        FieldType::new("gross", Type::Money, Spelling::Both),
        FieldType::new("discount", Type::Money, Spelling::Both),
    ],
    whole: 4,
    money: true,
    stays: true,
    has_event: true,
    reads: &["order.completed", "order.cancelled"],
};

/// A refund of such an order, at its own time. Amounts are minor units.
pub const REFUND: FactType = FactType {
    name: "refund",
    event: "",
    sort: Sort::Happening,
    fields: &[ORDER_ID, CHANNEL, SOURCE, PRODUCT, FieldType::new("amount", Type::Money, Spelling::Both)],
    whole: 3,
    money: true,
    stays: true,
    has_event: true,
    reads: &["payment.refunded", "order.completed", "order.cancelled", "invoice.resolved"],
};

/// The order that an event completes, by its id; `None` for an event of another type.
pub fn completed<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    (event.number == field::NUMBER).then(|| id(event))
}

/// The order that an event cancels, by its id; `None` for an event of another type.
pub fn cancelled<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    (event.number == order_cancelled::NUMBER).then(|| id(event))
}

/// The order of an event of either type.
pub fn id<'e>(event: &'e Event<'_>) -> &'e str {
    event.data.text(field::ORDER)
}

const _: () = assert!(field::ORDER == order_cancelled::ORDER);

/// An order as its completion says it; amounts in minor units of `currency`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order<'a> {
    /// Unique within the account.
    pub order: &'a str,
    /// Before discount.
    pub gross: i64,
    /// Off the gross.
    pub discount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// Empty if absent.
    pub channel: &'a str,
    /// Empty if absent.
    pub source: &'a str,
    message: Message<'a>,
}

impl<'a> Order<'a> {
    /// The order that an event completes.
    pub fn of(event: &'a Event<'_>) -> Order<'a> {
        let message = event.data.message();
        let mut order = Order { message, ..Order::default() };
        for (number, value) in message.each() {
            match number {
                field::ORDER => order.order = value.text(),
                field::GROSS => order.gross = value.integer().unwrap_or(0),
                field::DISCOUNT => order.discount = value.integer().unwrap_or(0),
                field::CURRENCY => order.currency = value.text(),
                field::CHANNEL => order.channel = value.text(),
                field::SOURCE => order.source = value.text(),
                _ => {}
            }
        }
        order
    }

    /// Products with amounts before discount, in the order written.
    pub fn lines(&self) -> impl Iterator<Item = (&'a str, i64)> {
        use field::lines::{AMOUNT, PRODUCT};
        self.message.messages(field::LINES).map(|line| (line.text(PRODUCT), line.integer(AMOUNT).unwrap_or(0)))
    }
}

/// Values of the fields of [`ORDER`]; `first` says whether it makes the account a customer for the first time.
pub fn order_values<'a>(order: &Order<'a>, first: bool) -> [Slot<'a>; 8] {
    let [product, net, gross, discount] = order_part(&whole(order, 0));
    let (id, channel, source) = (Slot::Text(order.order), Slot::Text(order.channel), Slot::Text(order.source));
    [Slot::Flag(first), id, channel, source, product, net, gross, discount]
}

/// Values of the fields of [`REFUND`] of this amount.
pub fn refund_values<'a>(order: &Order<'a>, amount: i64) -> [Slot<'a>; 5] {
    let [product, amount, ..] = refund_part(&whole(order, amount));
    [Slot::Text(order.order), Slot::Text(order.channel), Slot::Text(order.source), product, amount]
}

/// Values of [`ORDER`] that differ by product.
pub fn order_part<'a>(share: &Share<'a>) -> Part<'a> {
    let net = integer(share.gross - share.discount);
    [Slot::Text(share.product), net, integer(share.gross), integer(share.discount)]
}

/// Values of [`REFUND`] that differ by product.
pub fn refund_part<'a>(share: &Share<'a>) -> Part<'a> {
    [Slot::Text(share.product), integer(share.refund), Slot::Absent, Slot::Absent]
}

fn integer(amount: i128) -> Slot<'static> {
    Slot::Integer(i64::try_from(amount).expect("doors refuse amounts beyond 10^15"))
}

fn whole<'a>(order: &Order<'_>, refund: i64) -> Share<'a> {
    Share { product: "", gross: order.gross.into(), discount: order.discount.into(), refund: refund.into() }
}

/// What one product has in an order or refund; minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share<'a> {
    /// The product; empty for what no line names.
    pub product: &'a str,
    /// Before discount.
    pub gross: i128,
    /// Its part of the discount.
    pub discount: i128,
    /// Its part of the refund, if the shares are of one.
    pub refund: i128,
}

/// The shares of an order, and of `refund` in it, one a product, in the order of first lines.
pub fn shares<'a>(order: &Order<'a>, refund: i64) -> Vec<Share<'a>> {
    let share = |product, gross: i64| Share { product, gross: gross.into(), discount: 0, refund: 0 };
    let mut lines: Vec<Share<'_>> = Vec::with_capacity(4);
    lines.extend(order.lines().map(|(product, amount)| share(product, amount)));
    let rest = lines.iter().fold(i128::from(order.gross), |rest, line| rest - line.gross);
    if rest > 0 || lines.is_empty() {
        lines.push(share("", i64::try_from(rest).unwrap_or(0)));
    }
    spread(order.discount, &mut lines, |line| line.gross, |line, part| line.discount = part);
    spread(refund, &mut lines, |line| line.gross, |line, part| line.refund = part);
    // Lines of the same product become one.
    let mut at = 1;
    while at < lines.len() {
        match lines[..at].iter().position(|known| known.product == lines[at].product) {
            None => at += 1,
            Some(first) => {
                let line = lines.remove(at);
                lines[first].gross += line.gross;
                lines[first].discount += line.discount;
                lines[first].refund += line.refund;
            }
        }
    }
    lines
}

/// `total` in whole units over `items` by weight: largest remainder, ties to the earlier. Without
/// any weight the first takes all.
pub fn spread<T>(total: i64, items: &mut [T], weight: impl Fn(&T) -> i128, mut give: impl FnMut(&mut T, i128)) {
    if total == 0 {
        return;
    }
    let weight = |item: &T| weight(item).max(0);
    let (total, sum) = (i128::from(total), items.iter().map(weight).sum::<i128>());
    if sum == 0 || items.len() == 1 {
        return items.first_mut().into_iter().for_each(|first| give(first, total));
    }
    let mut parts: Vec<(i128, i128, usize)> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let (part, remainder) = divide(total * weight(item), sum);
        parts.push((remainder, part, index));
    }
    let left = total - parts.iter().map(|(_, part, _)| part).sum::<i128>();
    parts.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.2.cmp(&b.2)));
    for (place, (_, part, index)) in (0_i128..).zip(parts) {
        give(&mut items[index], part + i128::from(place < left));
    }
}

/// Euclidean quotient and remainder; nearly all fit 64 bits, where a division is cheap.
fn divide(number: i128, by: i128) -> (i128, i128) {
    match (i64::try_from(number), i64::try_from(by)) {
        (Ok(number), Ok(by)) => (number.div_euclid(by).into(), number.rem_euclid(by).into()),
        _ => (number.div_euclid(by), number.rem_euclid(by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::golden::Said;
    use proptest::prelude::*;

    fn parts(total: i64, weights: &[i64]) -> Vec<i128> {
        let mut items: Vec<(i64, i128)> = weights.iter().map(|weight| (*weight, 0)).collect();
        spread(total, &mut items, |item| item.0.into(), |item, part| item.1 = part);
        items.into_iter().map(|item| item.1).collect()
    }

    #[test]
    fn discount_goes_by_largest_remainder() {
        assert_eq!(parts(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(parts(5, &[10, 20, 30]), [1, 2, 2]);
        assert_eq!(parts(7, &[0, 0]), [7, 0]);
    }

    #[test]
    fn an_order_counts_once_in_each_product() {
        let event = Said::order("o", 1000, 100, "USD", &[("a", 300), ("b", 500), ("a", 100)]).event(0, "e");
        let shares = shares(&Order::of(&event), 0);
        let shown: Vec<_> = shares.iter().map(|s| (s.product, s.gross, s.discount)).collect();
        assert_eq!(shown, [("a", 400, 40), ("b", 500, 50), ("", 100, 10)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_spreading(total in -10_000_i64..10_000, weights in proptest::collection::vec(0_i64..1000, 1..8)) {
            prop_assert_eq!(parts(total, &weights).iter().sum::<i128>(), i128::from(total));
        }
    }
}
