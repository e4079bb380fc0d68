//! Lines that windows to come may hold, by kind of window.
//!
//! Invariant: a line that is not here has nothing at or after the start of the newest window of the kind, so a window that
//! opens need not look at it. So opening a window costs nothing for groups in which nothing happens any more.

/// The lines of each kind of window, by the kind's number.
#[derive(Debug)]
pub(super) struct Live(Vec<OfKind>);

#[derive(Debug, Default, Clone)]
struct OfKind {
    lines: Vec<u32>,
    /// By line: whether it is in the list.
    listed: Vec<bool>,
}

impl Live {
    pub(super) fn new(kinds: usize) -> Live {
        Live(vec![OfKind::default(); kinds])
    }

    /// Something happened in the line, or may happen without an event of its own.
    pub(super) fn note(&mut self, kind: u16, line: u32) {
        let OfKind { lines, listed } = &mut self.0[usize::from(kind)];
        let place = line as usize;
        if listed.len() <= place {
            listed.resize(place + 1, false);
        }
        if !std::mem::replace(&mut listed[place], true) {
            lines.push(line);
        }
    }

    /// The lines of a kind.
    pub(super) fn of(&self, kind: u16) -> &[u32] {
        &self.0[usize::from(kind)].lines
    }

    /// Forgets the lines of a kind for which `keep` is false.
    pub(super) fn retain(&mut self, kind: u16, keep: impl Fn(u32) -> bool) {
        let OfKind { lines, listed } = &mut self.0[usize::from(kind)];
        lines.retain(|line| {
            let keeps = keep(*line);
            listed[*line as usize] = keeps;
            keeps
        });
    }
}
