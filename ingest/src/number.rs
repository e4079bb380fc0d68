//! Equal rows of a file of delimited text are different events: from the second on they get `#2`, `#3`, ...
//!
//! Equal rows of different files are the same events: exports that overlap by days count them once, as many as the file
//! with most of them has, whether they are imported together or one after the other.
//!
//! Bounded in memory: rows sorted by identity have their equals beside them; the numbered rows are
//! sorted again, since `a#2` need not follow `a` at once.

use proto::{
    Message,
    v1::{Event, event},
    vocabulary::{Fill, Writer},
};

use crate::{
    Error, Result, encode,
    render::{self, Wire},
    sort::{Item, Merge, Sorter},
};

/// Numbers `rows` (in order of identity) into `sorter`; `starts` are the rows before each file, whose
/// own are numbered from 1.
pub(crate) fn number(rows: Merge, starts: &[u64], sorter: &mut Sorter) -> Result<()> {
    let file = |row: &Item| starts.partition_point(|before| *before < row.sequence);
    let mut last: Option<(usize, Box<str>, Box<str>)> = None;
    let mut count: u64 = 0;
    for row in rows {
        let row = row?;
        let file = file(&row);
        let same = last.as_ref().is_some_and(|(of, source, id)| (*of, source, id) == (file, &row.source, &row.id));
        if same {
            count += 1;
        } else {
            count = 1;
            last = Some((file, row.source.clone(), row.id.clone()));
        }
        sorter.push(if count > 1 { renamed(row, count)? } else { row })?;
    }
    Ok(())
}

/// The id with its number, also where a field defaults to it.
fn renamed(item: Item, count: u64) -> Result<Item> {
    let mut event = Event::decode(item.payload.as_slice()).map_err(|_| Error::Run("event"))?;
    let id = format!("{}#{count}", event.id);
    event.data = event.data.map(|data| refilled(data, &event.id, &id));
    event.id.clone_from(&id);
    Ok(Item { id: id.into(), payload: event.encode_to_vec(), ..item })
}

/// The data with the new id where a field was filled with the old one.
fn refilled(data: event::Data, old: &str, new: &str) -> event::Data {
    let Some((kind, message)) = render::message(&data) else { return data };
    let filled = kind.fields.iter().find(|field| matches!(field.fill, Fill::EventId | Fill::RowId));
    let value = |number: u32| render::fields(&message).find(|(found, _)| *found == number).map(|(_, wire)| wire);
    let Some(field) =
        filled.filter(|field| matches!(value(field.number), Some(Wire::Bytes(id)) if id == old.as_bytes()))
    else {
        return data;
    };
    // The last of two holds, so that the new one may follow all others.
    let mut more = Writer::default();
    more.text(field, new);
    encode::typed(kind, &[message, more.bytes()].concat())
}
