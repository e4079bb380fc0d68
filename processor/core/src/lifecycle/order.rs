//! Orders: how amounts are spread over the products of an order.
//!
//! Lines are before discount; discount and refunds are spread over them by amount, largest
//! remainder first, ties to the earlier line; what lines lack to the gross is product `""`.

use crate::event::Order;

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
pub fn shares(order: &Order, refund: i64) -> Vec<Share<'_>> {
    let mut amounts: Vec<(&str, i64)> =
        order.lines.iter().map(|(product, amount)| (product.as_str(), *amount)).collect();
    let rest = amounts.iter().fold(i128::from(order.gross), |rest, (_, amount)| rest - i128::from(*amount));
    if rest > 0 || amounts.is_empty() {
        amounts.push(("", i64::try_from(rest).unwrap_or(0)));
    }
    let weights: Vec<i64> = amounts.iter().map(|(_, amount)| *amount).collect();
    let discounts = spread(order.discount, &weights);
    let refunds = spread(refund, &weights);
    let mut shares: Vec<Share<'_>> = Vec::with_capacity(amounts.len());
    for (index, (product, amount)) in amounts.into_iter().enumerate() {
        let (gross, discount, refund) = (i128::from(amount), discounts[index], refunds[index]);
        match shares.iter_mut().find(|share| share.product == product) {
            Some(share) => {
                share.gross += gross;
                share.discount += discount;
                share.refund += refund;
            }
            None => shares.push(Share { product, gross, discount, refund }),
        }
    }
    shares
}

/// `total` in whole units by `weights`: largest remainder, ties to the earlier. Without any weight
/// the first takes all.
pub fn spread(total: i64, weights: &[i64]) -> Vec<i128> {
    let total = i128::from(total);
    let sum: i128 = weights.iter().map(|weight| i128::from((*weight).max(0))).sum();
    let mut parts = vec![0_i128; weights.len()];
    if sum == 0 {
        if let Some(first) = parts.first_mut() {
            *first = total;
        }
        return parts;
    }
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let exact = total * i128::from((*weight).max(0));
        parts[index] = exact.div_euclid(sum);
        remainders.push((exact.rem_euclid(sum), index));
    }
    let left = total - parts.iter().sum::<i128>();
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[index] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn discount_goes_by_largest_remainder() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(5, &[10, 20, 30]), [1, 2, 2]);
        assert_eq!(spread(7, &[0, 0]), [7, 0]);
    }

    #[test]
    fn an_order_counts_once_in_each_product() {
        let lines = vec![("a".to_owned(), 300), ("b".to_owned(), 500), ("a".to_owned(), 100)];
        let order = Order { gross: 1000, discount: 100, lines, ..Order::default() };
        let shares = shares(&order, 0);
        let shown: Vec<_> = shares.iter().map(|s| (s.product, s.gross, s.discount)).collect();
        assert_eq!(shown, [("a", 400, 40), ("b", 500, 50), ("", 100, 10)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_spreading(total in -10_000_i64..10_000, weights in proptest::collection::vec(0_i64..1000, 1..8)) {
            prop_assert_eq!(spread(total, &weights).iter().sum::<i128>(), i128::from(total));
        }
    }
}
