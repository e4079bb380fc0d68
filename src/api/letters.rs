//! Dead letters: what could not be used, and how it is handed in again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dashboard::backend::{Letter, Letters, Trouble};
use eventlog::{Log, Stored};
use ingest::{cloudevents::render, door, live::Handle};
use processor::topics::{DEAD_LETTERS, EVENTS};
use proto::v1::{Event, entry};
use store::window::rfc3339;
use task::dead;

use super::failed;

/// How long the answer of the door may take.
const WAIT: Duration = Duration::from_secs(20);

/// A page, the newest first; a cursor is an offset before which it begins.
pub(super) fn page(log: &dyn Log, cursor: Option<&str>, limit: usize) -> Result<Letters, Trouble> {
    let wrong = || Trouble::Wrong("cursor", "is none that a page gave".to_owned());
    let before: u64 = cursor.map_or(Some(u64::MAX), |cursor| cursor.parse().ok()).ok_or_else(wrong)?;
    let all = all(log)?;
    let total = all.len() as u64;
    let mut page: Vec<&Stored> = all.iter().rev().filter(|stored| stored.offset < before).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.offset.to_string());
    Ok(Letters { letters: page.into_iter().map(letter).collect(), next, total })
}

fn all(log: &dyn Log) -> Result<Vec<Stored>, Trouble> {
    let is_there = log.topics().map_err(failed)?.iter().any(|spec| spec.name == DEAD_LETTERS);
    if !is_there {
        return Ok(Vec::new());
    }
    let past = eventlog::past(log, DEAD_LETTERS, 0, 0).map_err(failed)?;
    past.map(|stored| stored.map_err(failed)).collect()
}

/// The event of a letter, if it is one.
fn event(stored: &Stored) -> Option<Event> {
    match door::decode(DEAD_LETTERS, 0, stored).ok()?.entry {
        Some(entry::Entry::Event(event)) => Some(event),
        _ => None,
    }
}

fn letter(stored: &Stored) -> Letter {
    let detail = dead::detail(&stored.record);
    let value = stored.record.value.as_deref().unwrap_or_default();
    let of_events = detail.as_ref().is_some_and(|detail| detail.topic == EVENTS);
    let event = of_events.then(|| event(stored)).flatten();
    let is_ahead = event.as_ref().is_some_and(|event| event.time_us > event.recorded_at_us);
    let text = event.map(|event| render(&event, None)).or_else(|| std::str::from_utf8(value).ok().map(str::to_owned));
    let (topic, partition, offset, stage, reason) = detail.map_or_else(Default::default, |detail| {
        (detail.topic, detail.partition, detail.offset, detail.stage, detail.reason)
    });
    Letter {
        id: stored.offset.to_string(),
        at: rfc3339(stored.record.timestamp_us),
        topic,
        partition,
        offset,
        reason: if is_ahead { "dated ahead of its arrival".to_owned() } else { reason.clone() },
        detail: format!("{reason} (found by {stage})"),
        bytes_base64: STANDARD.encode(value),
        text,
    }
}

/// Hands the event of a letter in again, under its own id, which is free.
pub(super) fn replay(log: &dyn Log, door: &Handle, id: &str) -> Result<String, Trouble> {
    let none = || Trouble::NotFound("there is no dead letter of this id".to_owned());
    let offset: u64 = id.parse().map_err(|_| none())?;
    let stored = all(log)?.into_iter().find(|stored| stored.offset == offset).ok_or_else(none)?;
    let not_one = || Trouble::Wrong("id", "is no event: only events can be handed in again".to_owned());
    let event = event(&stored).ok_or_else(not_one)?;
    let id = event.id.clone();
    let answer = door.submit(vec![event]).map_err(|refusal| Trouble::Later(refusal.reason))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    match runtime.block_on(Handle::answered(answer, WAIT)) {
        Ok(_) => Ok(id),
        Err(refusal) => Err(Trouble::Later(refusal.reason)),
    }
}
