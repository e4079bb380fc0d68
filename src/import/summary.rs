//! What an import did, for people: every line is counted once, in the words that doors, telemetry and lists use.
//!
//! ```text
//!     lines = accepted + rejected + left out
//!     events of what was accepted = counted (on time, late) + duplicate + conflict + quarantined + waiting + not measured
//! ```

use std::fmt::Write as _;

use ingest::{
    amend::Amended,
    import::{Reasons, Summary},
    outcome::{Measured, unread},
    render_rfc3339,
};
use processor::account::{Conflict, Counters, Findings};

use crate::output::number::plain_count_of;

/// Conflicts that are named one by one.
const CONFLICTS_SHOWN: usize = 3;

/// How the lines ended, as far as the door knows.
pub(super) fn lines(summary: &Summary, measured: &Measured) -> String {
    let mut out = counts(summary, measured);
    if let Some((first, last)) = summary.times_us {
        let _ = writeln!(out, "dated {} to {}", render_rfc3339(first), render_rfc3339(last));
    }
    out.push_str(&replaced(&summary.amended));
    out.push_str(&appended(summary));
    out
}

/// Lines by how they ended, events by type, and why lines were rejected.
pub(crate) fn counts(summary: &Summary, measured: &Measured) -> String {
    let read = plain_count_of(summary.read, "line");
    let mut out = format!("{read}: {} accepted, {} rejected", summary.accepted, summary.rejected);
    let left_out: u64 = summary.left_out.values().sum();
    if left_out > 0 {
        let names: Vec<String> = summary.left_out.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = write!(out, ", {left_out} left out ({})", names.join(", "));
    }
    out.push('\n');
    for (kind, count) in &summary.types {
        let note = if measured.reads(kind) { String::new() } else { format!(" (not measured: {})", unread(kind)) };
        let _ = writeln!(out, "  {count:>12} {kind}{note}");
    }
    if summary.unchanged > 0 {
        let _ = writeln!(
            out,
            "  {:>12} say what the one before of the same account said, and are left out",
            summary.unchanged
        );
    }
    out.push_str(&reasons(&summary.reasons));
    out
}

/// What contents of rows did that took the place of others.
fn replaced(amended: &Amended) -> String {
    let Amended { replaced, again, unchanged, superseded, retracted, .. } = *amended;
    let mut out = String::new();
    for (count, what) in [
        (replaced, "replaced what the log had of their id, as corrections"),
        (again, "sent under new ids: theirs were retracted"),
        (unchanged, "known with this content, not sent again (duplicate)"),
        (superseded, "not sent: their id comes again in the files, and its last row holds"),
        (retracted, "retracted: corrections of before, and events of ids that are another account's now"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "  {count:>12} {what}");
        }
    }
    out
}

/// What taking an import back would do.
pub(super) fn plan_of_undo(import: &str, amended: &Amended) -> String {
    let Amended { brought, replaced, again, retracted, .. } = *amended;
    let events = plain_count_of(brought, "event");
    let mut out = format!("import {import} appended {events}; to take them back:\n");
    for (count, what) in [
        (retracted, "retracted"),
        (replaced, "corrected to what held without it"),
        (again, "brought back under new ids: the import had withdrawn them"),
    ] {
        let _ = writeln!(out, "  {count:>12} {what}");
    }
    out
}

/// What is in the log now.
pub(super) fn appended(summary: &Summary) -> String {
    let mut out = String::new();
    let (events, ticks) = (plain_count_of(summary.appended, "event"), plain_count_of(summary.ticks, "tick"));
    let _ = write!(out, "{events} and {ticks} appended");
    if summary.resumed > 0 {
        let _ = write!(out, ", {} were there from an interrupted import", summary.resumed);
    }
    if let Some(clock) = summary.clock_us {
        let _ = write!(out, "; it is {} now in the log", render_rfc3339(clock));
    }
    out.push('\n');
    if !summary.import.is_empty() {
        let _ =
            writeln!(out, "import {}: `vitals imports` lists it, `vitals import --undo` takes it back", summary.import);
    }
    if summary.stopped {
        out.push_str("stopped before the end; the same command goes on from here\n");
    }
    out
}

/// Why lines were rejected, most frequent first: how many for the same reason, and the first of them.
fn reasons(reasons: &Reasons) -> String {
    let kinds = reasons.by_count();
    if kinds.is_empty() {
        return String::new();
    }
    let mut out = "rejected:\n".to_owned();
    for reason in kinds {
        let _ = writeln!(out, "  {:>12} {}", reason.count, reason.first);
    }
    if let Some(others) = reasons.others() {
        let _ = writeln!(out, "  {:>12} for other reasons, the first {}", others.count, others.first);
    }
    out
}

/// How the accepted events ended, as the stages found.
pub(super) fn outcomes(summary: &Summary, before: &Counters, after: &Counters) -> String {
    // An event of before that waited may have been found by one of these; then fewer wait.
    let change = |now: u64, then: u64| i128::from(now) - i128::from(then);
    let events = change(after.accepted(), before.accepted());
    let (on_time, late) = (change(after.on_time, before.on_time), change(after.late, before.late));
    let mut out = match events == i128::from(summary.events) {
        true if summary.events == summary.accepted => "accepted: ".to_owned(),
        true => format!("{events} events of them: "),
        false => format!("processed {events}: "),
    };
    let _ = write!(out, "{} counted ({on_time} on time, {late} late)", on_time + late);
    let rest = after.by_outcome().into_iter().zip(before.by_outcome()).skip(2);
    for ((outcome, now), (_, then)) in rest {
        let _ = write!(out, ", {} {outcome}", change(now, then).max(0));
    }
    if before.waiting > after.waiting {
        let _ = write!(out, "; {} of them had waited", before.waiting - after.waiting);
    }
    out.push('\n');
    if after.waiting > 0 {
        let _ = writeln!(out, "{} in all wait for the order or event that they name", after.waiting);
    }
    if after.quarantined > before.quarantined {
        out.push_str("`vitals quarantine` lists what is quarantined\n");
    }
    out
}

/// What was found in the events and changes no outcome.
pub(super) fn findings(before: &Findings, after: &Findings) -> String {
    let mut out = String::new();
    let opened_again = after.opened_again - before.opened_again;
    if let (1.., Some((order, account))) = (opened_again, &after.first_opened_again) {
        let events = plain_count_of(opened_again, "event");
        let _ = writeln!(
            out,
            "{events} of those counted open an order that another event opens with other content, such as order {order} of \
             {account}: only the earlier one is in a metric; `vitals conflicts` shows both"
        );
    }
    let retracted = after.retracted - before.retracted;
    if retracted > 0 {
        let events = plain_count_of(retracted, "event");
        let _ = writeln!(
            out,
            "{events} had been retracted, which holds for ever: they count nowhere. --replace brings them back under new ids"
        );
    }
    out
}

/// The first events whose id was known with other content.
pub(super) fn conflicts(conflicts: &[Conflict]) -> String {
    let mut out = String::new();
    for Conflict { source, id, partition, offset } in conflicts.iter().take(CONFLICTS_SHOWN) {
        let _ = writeln!(
            out,
            "conflict: source {source} id {id} was there with other content, which holds (this one: partition \
             {partition} offset {offset}); `vitals events --id '{id}'` shows both"
        );
    }
    if conflicts.len() > CONFLICTS_SHOWN {
        out.push_str("  and more; each is counted above\n");
    }
    out
}
