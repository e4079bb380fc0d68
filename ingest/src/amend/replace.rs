//! Rows whose ids the log knows: their content holds from now on.
//!
//! Of rows of one id the last holds. One whose account is another one now is retracted where it was. Events that correct or
//! retract others, or have an id that was made here, are appended as they are, and so is what they name: a file that mends its
//! own events says itself what holds.

use proto::bytes::Bytes;

use super::{
    AFTER_LOG, Amended, Filter, Ground, Rules, by_source, decoded, item,
    lineage::{self, Id, base},
    of_record, subject,
};
use crate::{
    Error, Result,
    sort::{Item, Merge, Order, Sorter},
};

/// Between the parts of what is hashed or sorted by.
const SEPARATOR: char = '\u{1f}';
/// Bits for the events that come of one row.
const PER_ROW_BITS: u32 = 16;

/// The number of what says that the files mend the events of an id themselves.
const MENDED: u64 = u64::MAX;

/// What a row asks of an account.
const WITHDRAW: u8 = 0;
const HOLD: u8 = 1;

/// The events to append instead of `rows`.
pub(crate) fn replace(rows: Merge, ground: &Ground<'_>, rules: &Rules) -> Result<(Merge, Amended)> {
    let mut amended = Amended::default();
    let mut out = ground.sorter(ground.order);
    let (mut wishes, accounts) = wishes(rows, ground, &mut out, &mut amended)?;
    if !wishes.is_empty() {
        ground.read(|number, stored, event| {
            let account = subject(&event);
            if accounts.has(&account) {
                let payload = stored.record.value.as_deref().unwrap_or_default().to_vec();
                wishes.push(Item { time_us: 0, source: account.into(), id: "".into(), sequence: number, payload })?;
            }
            Ok(())
        })?;
    }
    by_source(wishes.finish()?, |items| account(items, rules, &mut out, &mut amended))?;
    Ok((out.finish()?, amended))
}

/// What rows ask of accounts, and which accounts these are; rows that the log knows nothing of go to `out`.
fn wishes(rows: Merge, ground: &Ground<'_>, out: &mut Sorter, amended: &mut Amended) -> Result<(Sorter, Filter)> {
    let mut by_id = ground.sorter(Order::Identity);
    let mut ids = Filter::default();
    for row in rows {
        let row = row?;
        let event = decoded(&row.payload)?;
        let sequence = row.sequence << PER_ROW_BITS;
        if lineage::mends(&event) || base(&event.id) != event.id {
            for (source, id) in lineage::targets(&event) {
                let source = format!("{source}{SEPARATOR}{id}").into();
                by_id.push(Item { time_us: 0, source, id: "".into(), sequence: MENDED, payload: Vec::new() })?;
            }
            out.push(Item { sequence, ..row })?;
            continue;
        }
        ids.insert(&format!("{}{SEPARATOR}{}", row.source, row.id));
        let joined = format!("{}{SEPARATOR}{}", row.source, row.id);
        by_id.push(Item { source: joined.into(), id: "".into(), sequence: AFTER_LOG | sequence, ..row })?;
    }
    ground.read(|number, _, event| {
        let joined = format!("{}{SEPARATOR}{}", event.source, base(&event.id));
        if ids.has(&joined) {
            let payload = subject(&event).into_bytes();
            by_id.push(Item { time_us: 0, source: joined.into(), id: "".into(), sequence: number, payload })?;
        }
        Ok(())
    })?;

    let (mut wishes, mut accounts) = (ground.sorter(Order::Identity), Filter::default());
    by_source(by_id.finish()?, |items| {
        let (known, mut rows): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.sequence < AFTER_LOG);
        let all = rows.len();
        rows.retain(|row| row.sequence != MENDED);
        if rows.len() < all {
            return rows
                .into_iter()
                .try_for_each(|row| out.push(item(&decoded(&row.payload)?, row.sequence & !AFTER_LOG)));
        }
        let Some(last) = rows.pop() else { return Ok(()) };
        amended.superseded += rows.len() as u64;
        let event = decoded(&last.payload)?;
        let sequence = last.sequence & !AFTER_LOG;
        if known.is_empty() {
            return out.push(item(&event, sequence));
        }
        let own = subject(&event);
        let mut wish = |account: &str, what: u8| {
            accounts.insert(account);
            let payload = [&[what][..], &last.payload].concat();
            let id = event.id.as_str().into();
            wishes.push(Item { time_us: 0, source: account.into(), id, sequence: last.sequence, payload })
        };
        wish(&own, HOLD)?;
        let mut others: Vec<Vec<u8>> = known.into_iter().map(|item| item.payload).collect();
        others.sort_unstable();
        others.dedup();
        for other in others.into_iter().filter(|other| *other != own.as_bytes()) {
            wish(&String::from_utf8(other).map_err(|_| Error::Run("text"))?, WITHDRAW)?;
        }
        Ok(())
    })?;
    Ok((wishes, accounts))
}

/// Decides what the rows of one account come to.
fn account(items: Vec<Item>, rules: &Rules, out: &mut Sorter, amended: &mut Amended) -> Result<()> {
    let (known, wishes): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.sequence < AFTER_LOG);
    if wishes.is_empty() {
        return Ok(());
    }
    let records = known.into_iter().map(|item| of_record(Bytes::from(item.payload))).collect::<Result<_>>()?;
    let mut journal = rules.journal(records);
    for wish in wishes {
        let (what, payload) = wish.payload.split_first().ok_or(Error::Run("wish"))?;
        let event = decoded(payload)?;
        let of: Id = (event.source.clone(), event.id.clone());
        let content = (*what == HOLD).then_some(&event);
        let new = journal.let_hold(&of, content);
        if new.is_empty() {
            amended.unchanged += u64::from(content.is_some());
        }
        // The row may ask two accounts for something: what both append has numbers of its own.
        let first = if content.is_some() { 0 } else { 1 << (PER_ROW_BITS - 1) };
        for (at, event) in (first..).zip(&new) {
            let sequence = (wish.sequence & !AFTER_LOG) | at;
            match (lineage::mends(event), event.corrects.is_empty()) {
                (true, true) => amended.retracted += 1,
                (true, false) => amended.replaced += 1,
                (false, _) => amended.again += u64::from(event.id != of.1),
            }
            out.push(item(event, sequence))?;
        }
    }
    Ok(())
}
