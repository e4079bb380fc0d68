//! What one import brought, taken back: for each id that it touched, what would hold without it.
//!
//! So an event that was there before, or came again from elsewhere, stays; one that was corrected since by others keeps
//! their content; and what the import had replaced or retracted comes back, under a new id where it has to.

use std::collections::HashMap;

use eventlog::Stored;
use proto::{bytes::Bytes, v1::Event};

use super::{
    Amended, Filter, Ground, Rules, SEPARATOR, by_content, by_source, imports, item,
    lineage::{Id, is_retraction, same_content},
    of_record, subject,
};
use crate::{
    Error, Result,
    sort::{Item, Merge, Order, Sorter},
};

/// The events to append so that `import` has brought nothing.
pub(crate) fn undo(import: &str, ground: &Ground<'_>, rules: &Rules) -> Result<(Merge, Amended)> {
    let is_own = |stored: &Stored| imports(stored).any(|one| one == import.as_bytes());
    let (mut accounts, mut amended) = (Filter::default(), Amended::default());
    ground.read(|_, stored, event| {
        if is_own(stored) {
            amended.brought += 1;
            accounts.insert(&subject(&event));
        }
        Ok(())
    })?;

    let mut journals = ground.sorter(Order::Identity);
    if amended.brought > 0 {
        ground.read(|number, stored, event| {
            let account = subject(&event);
            if accounts.has(&account) {
                let payload = Known::encode(is_own(stored), stored);
                journals.push(Item { time_us: 0, source: account.into(), id: "".into(), sequence: number, payload })?;
            }
            Ok(())
        })?;
    }
    let (mut out, mut sequence) = (ground.sorter(ground.order), 0);
    by_source(journals.finish()?, |items| account(items, rules, &mut out, &mut sequence, &mut amended))?;
    Ok((out.finish()?, amended))
}

/// Decides what has to be appended to one account.
fn account(items: Vec<Item>, rules: &Rules, out: &mut Sorter, sequence: &mut u64, amended: &mut Amended) -> Result<()> {
    let (mut all, mut others) = (Vec::new(), Vec::new());
    let mut brought_by: HashMap<Id, String> = HashMap::new();
    for item in items {
        let Known { own, by, value } = Known::decode(item.payload)?;
        let record = of_record(value)?;
        if !own {
            let id = (record.1.source.clone(), record.1.id.clone());
            brought_by.entry(id).or_insert(by);
            others.push(record.clone());
        }
        all.push(record);
    }
    let (mut now, without) = (rules.journal(all), rules.journal(others));
    let lineages: Vec<Id> = now.lineages().cloned().collect();
    for of in lineages {
        let (holds, would) = (now.standing(&of), without.standing(&of));
        let same = holds.len() == would.len() && holds.iter().zip(&would).all(|(one, other)| same_content(one, other));
        if same {
            continue;
        }
        let content: Option<Event> = would.last().map(|event| (*event).clone());
        for event in now.let_hold(&of, content.as_ref()) {
            match (is_retraction(&event), event.corrects.is_empty()) {
                (true, _) => amended.retracted += 1,
                (false, false) => amended.replaced += 1,
                (false, true) => amended.again += 1,
            }
            let mut item = item(&event, *sequence);
            if let Some(content) = content.as_ref().filter(|_| !is_retraction(&event)) {
                let by = brought_by.get(&(content.source.clone(), content.id.clone()));
                item.source = by_content(&event, by.map_or("", String::as_str)).into();
            }
            out.push(item)?;
            *sequence += 1;
        }
    }
    Ok(())
}

/// A record of the log in the sort.
struct Known {
    /// Whether the import appended it.
    own: bool,
    /// The imports that appended it, or the content that it brings back.
    by: String,
    value: Bytes,
}

impl Known {
    /// `own`, the imports, 0, the record.
    fn encode(own: bool, stored: &Stored) -> Vec<u8> {
        let mut out = vec![u8::from(own)];
        for by in imports(stored) {
            out.extend_from_slice(by);
            out.push(SEPARATOR);
        }
        out.push(0);
        out.extend_from_slice(stored.record.value.as_deref().unwrap_or_default());
        out
    }

    fn decode(payload: Vec<u8>) -> Result<Self> {
        let end = payload.iter().skip(1).position(|byte| *byte == 0).ok_or(Error::Run("record"))? + 1;
        let by = String::from_utf8(payload[1..end].to_vec()).map_err(|_| Error::Run("text"))?;
        let own = payload[0] == 1;
        Ok(Self { own, by, value: Bytes::from(payload).split_off(end + 1) })
    }
}
