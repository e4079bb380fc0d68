//! Byte strings that grow, in chunks of memory.
//!
//! ```text
//!     chunk   | owner, room, bytes .. | nobody, room | owner, room, bytes .. |  free
//! ```
//!
//! Invariants: a third of a full chunk at most belongs to nobody; strings move in [`Arena::sweep`]
//! alone, which says where to. An allocator keeps, for each size, the memory that strings of this
//! size once needed: of accounts that grow it keeps the sum of all their sizes.

/// Bytes of a chunk, unless one string needs more.
const CHUNK: usize = 256 << 10;
/// Bytes before a string: owner and room.
const HEAD: usize = 8;
/// Strings have room up to the next multiple: the next growth may fit.
const STEP: usize = 16;
/// Owner of what was freed.
const NOBODY: u32 = u32::MAX;

/// Where a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    chunk: u32,
    start: u32,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    freed: usize,
}

impl Chunk {
    fn number(&self, at: usize) -> u32 {
        self.bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn sparse(&self) -> bool {
        self.freed * 3 > self.bytes.len()
    }
}

#[derive(Debug, Default)]
pub(super) struct Arena {
    chunks: Vec<Chunk>,
    /// The one that is being filled.
    filling: usize,
    empty: Vec<usize>,
    /// Those to be swept.
    sparse: Vec<usize>,
}

impl Arena {
    /// Bytes of all chunks.
    pub(super) fn reserved(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum()
    }

    /// Adds a string.
    pub(super) fn add(&mut self, owner: u32, string: &[u8]) -> Place {
        let room = string.len().next_multiple_of(STEP);
        self.make_room(HEAD + room);
        let bytes = &mut self.chunks[self.filling].bytes;
        let start = bytes.len();
        bytes.extend_from_slice(&owner.to_le_bytes());
        bytes.extend_from_slice(&small(room).to_le_bytes());
        bytes.extend_from_slice(string);
        bytes.resize(start + HEAD + room, 0);
        Place { chunk: small(self.filling), start: small(start) }
    }

    /// Sees to it that the chunk that is being filled has room for so many bytes.
    fn make_room(&mut self, needed: usize) {
        if self.chunks.get(self.filling).is_some_and(|chunk| chunk.bytes.len() + needed <= chunk.bytes.capacity()) {
            return;
        }
        let full = self.filling;
        self.filling = self.empty.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            self.chunks.len() - 1
        });
        self.chunks[self.filling].bytes.reserve_exact(needed.max(CHUNK));
        if full != self.filling && self.chunks[full].sparse() {
            self.sparse.push(full);
        }
    }

    /// The first `length` bytes of a string.
    pub(super) fn get(&self, place: Place, length: usize) -> &[u8] {
        &self.chunks[place.chunk as usize].bytes[place.start as usize + HEAD..][..length]
    }

    /// Replaces a string where it is; `false` if it has not the room.
    pub(super) fn set(&mut self, place: Place, string: &[u8]) -> bool {
        let (chunk, start) = (&mut self.chunks[place.chunk as usize], place.start as usize);
        let fits = string.len() <= chunk.number(start + 4) as usize;
        if fits {
            chunk.bytes[start + HEAD..][..string.len()].copy_from_slice(string);
        }
        fits
    }

    /// Frees a string.
    pub(super) fn free(&mut self, place: Place) {
        let (number, start) = (place.chunk as usize, place.start as usize);
        let chunk = &mut self.chunks[number];
        let was_sparse = chunk.sparse();
        chunk.freed += HEAD + chunk.number(start + 4) as usize;
        chunk.bytes[start..][..4].copy_from_slice(&NOBODY.to_le_bytes());
        if chunk.sparse() && !was_sparse && number != self.filling {
            self.sparse.push(number);
        }
    }

    /// Empties the chunks that hold little: says for each string that it moves its owner and where
    /// it is now.
    pub(super) fn sweep(&mut self, mut moved: impl FnMut(u32, Place)) {
        while let Some(number) = self.sparse.pop() {
            let mut chunk = std::mem::take(&mut self.chunks[number]);
            let mut at = 0;
            while at < chunk.bytes.len() {
                let (owner, room) = (chunk.number(at), chunk.number(at + 4) as usize);
                if owner != NOBODY {
                    moved(owner, self.add(owner, &chunk.bytes[at + HEAD..][..room]));
                }
                at += HEAD + room;
            }
            chunk.bytes.clear();
            if chunk.bytes.capacity() == CHUNK {
                self.chunks[number].bytes = chunk.bytes;
            }
            self.empty.push(number);
        }
    }
}

/// A number of accounts or chunks, or a length.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).expect("accounts of a partition and their bytes are far below 4 G")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_stay_what_they_are_and_freed_memory_is_used_again(
            steps in proptest::collection::vec((0_usize..50, 0_usize..20_000), 1..400),
        ) {
            let mut arena = Arena::default();
            let mut strings: Vec<(Place, Vec<u8>)> = Vec::new();
            for (number, (owner, length)) in steps.into_iter().enumerate() {
                let string = vec![u8::try_from(number % 251).unwrap(); length];
                if owner < strings.len() {
                    let place = strings[owner].0;
                    if !arena.set(place, &string) {
                        arena.free(place);
                        strings[owner].0 = arena.add(small(owner), &string);
                    }
                    strings[owner].1 = string;
                } else {
                    let place = arena.add(small(strings.len()), &string);
                    strings.push((place, string));
                }
                arena.sweep(|owner, place| strings[owner as usize].0 = place);
            }
            for (place, string) in &strings {
                prop_assert_eq!(arena.get(*place, string.len()), string);
            }
            let held: usize = arena.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
            let freed: usize = arena.chunks.iter().map(|chunk| chunk.freed).sum();
            prop_assert!(freed <= held / 3 + CHUNK);
        }
    }
}
