//! Spreading an amount over lines: by weight, largest remainder, ties to the earlier line.

/// Shares of `amount` in proportion to `weights` (not negative); they add up to `amount`. A negative one mirrors its opposite.
pub fn spread(amount: i128, weights: &[i128]) -> Vec<i128> {
    if amount < 0 {
        return spread(-amount, weights).into_iter().map(|share| -share).collect();
    }
    let total: i128 = weights.iter().sum();
    if total == 0 {
        return weights.iter().enumerate().map(|(i, _)| if i == 0 { amount } else { 0 }).collect();
    }
    let mut shares: Vec<i128> = weights.iter().map(|w| amount * w / total).collect();
    let left = amount - shares.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // The sort is stable: among equal remainders the earlier line stays first.
    order.sort_by_key(|&i| std::cmp::Reverse(amount * weights[i] % total));
    for &i in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[i] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_remainder_then_the_earlier() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(10, &[1, 2, 3]), [2, 3, 5]);
        // Shares 1.25, 1.25, 2.5: the third has the largest remainder.
        assert_eq!(spread(5, &[1, 1, 2]), [1, 1, 3]);
        assert_eq!(spread(0, &[1, 2]), [0, 0]);
        assert_eq!(spread(7, &[0, 0]), [7, 0]);
        assert_eq!(spread(7, &[0, 5]), [0, 7]);
        assert_eq!(spread(-5, &[1, 1, 2]), [-1, -1, -3]);
    }
}
