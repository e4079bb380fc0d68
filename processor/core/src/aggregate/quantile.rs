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

/// The value of nearest rank: that of the first bucket up to which at least `percent` percent of all are.
///
/// `counts` ascend by bucket. `None` where there are none.
pub fn nearest_rank(counts: &[(Bucket, i128)], percent: u8) -> Option<i64> {
    let all: i128 = counts.iter().map(|(_, count)| count).sum();
    let rank =
        (all * i128::from(percent)).div_euclid(100) + i128::from((all * i128::from(percent)).rem_euclid(100) > 0);
    let mut passed = 0;
    let mut upto = counts.iter().filter(|(_, count)| *count != 0).skip_while(|(_, count)| {
        passed += count;
        passed < rank
    });
    upto.next().map(|(bucket, _)| middle(*bucket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rank_is_the_nearest() {
        let of = |values: &[i64]| -> Vec<(Bucket, i128)> { values.iter().map(|value| (bucket(*value), 1)).collect() };
        let values = of(&[3, 5, 7, 11]);
        assert_eq!(
            [1, 25, 26, 50, 75, 76, 100].map(|percent| nearest_rank(&values, percent)),
            [3, 3, 5, 5, 7, 11, 11].map(Some)
        );
        assert_eq!(nearest_rank(&[], 50), None);
        assert_eq!(nearest_rank(&[(1, 0), (2, 1)], 50), Some(2), "an empty bucket is none");
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
