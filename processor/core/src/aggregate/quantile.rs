//! Quantiles: counts in fixed buckets, so that they may be added and taken back in any order.
//!
//! A bucket is a power of two cut into 128 equal parts (the layout of HdrHistogram): whatever its size, a value is off by at
//! most 1/256 of itself. Values below 128 have a bucket each and are exact.
//!
//! Invariants: a greater value has no lesser bucket; a bucket and the opposite one hold opposite values.

/// Parts of a power of two, as bits.
const PARTS: u32 = 7;

/// Number of a bucket; those of negative values are negative.
pub type Bucket = i64;

/// The bucket of a value.
pub fn bucket(value: i64) -> Bucket {
    let size = value.unsigned_abs();
    let shift = size.checked_ilog2().unwrap_or(0).saturating_sub(PARTS);
    let place = (u64::from(shift) << PARTS) + (size >> shift);
    let place = Bucket::try_from(place).expect("64 powers of two have fewer than 2^13 buckets");
    if value < 0 { -place } else { place }
}

/// The value in the middle of a bucket.
pub fn middle(bucket: Bucket) -> i64 {
    let place = bucket.unsigned_abs();
    // The first power of two that has parts is that of 128; the places below it are the values themselves.
    let shift = (place >> PARTS).saturating_sub(1);
    let low = u128::from(place - (shift << PARTS)) << shift;
    let middle = low + ((1_u128 << shift) - 1) / 2;
    let middle = i64::try_from(middle).unwrap_or(i64::MAX);
    if bucket < 0 { -middle } else { middle }
}

/// The least rank that at least `percent` percent of `all` values have.
pub fn nearest_rank(all: i128, percent: u8) -> i128 {
    let hundredths = all * i128::from(percent);
    hundredths.div_euclid(100) + i128::from(hundredths.rem_euclid(100) > 0)
}

/// The first bucket up to which at least `rank` values are, and their rank among its own; `None` where there are fewer.
///
/// `counts` ascend by bucket.
pub fn of_rank(counts: impl IntoIterator<Item = (Bucket, i128)>, mut rank: i128) -> Option<(Bucket, i128)> {
    for (bucket, count) in counts {
        if count != 0 && rank <= count {
            return Some((bucket, rank));
        }
        rank -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rank_is_the_nearest() {
        let values = [3, 5, 7, 11].map(|value| (bucket(value), 1));
        let of = |percent: u8| of_rank(values, nearest_rank(4, percent)).map(|(bucket, _)| middle(bucket));
        assert_eq!([1, 25, 26, 50, 75, 76, 100].map(of), [3, 3, 5, 5, 7, 11, 11].map(Some));
    }

    #[test]
    fn an_empty_bucket_is_none() {
        assert_eq!(of_rank([], 0), None);
        assert_eq!(of_rank([(1, 0), (2, 1)], 1), Some((2, 1)));
        assert_eq!(of_rank([(1, 2), (2, 0), (3, 4)], 5), Some((3, 3)), "two of five are before it");
    }

    proptest! {
        #[test]
        fn the_middle_is_near_and_buckets_keep_the_order(one: i64, other: i64) {
            let near = middle(bucket(one));
            let off = i128::from(near).abs_diff(i128::from(one));
            prop_assert!(off * 256 <= u128::from(one.unsigned_abs()), "{one} {near}");
            prop_assert_eq!(bucket(one).cmp(&bucket(other)).is_le(), one <= other || bucket(one) == bucket(other));
            prop_assert_eq!(bucket(near), bucket(one));
        }
    }
}
