//! What a thread of its own writes, as it is read: for bytes whose source cannot be kept beside its reader.
//!
//! Bounded in memory. A thread whose reader is gone ends at its next write; one that panics is an error of its reader.

use std::{
    io::{Cursor, Error, ErrorKind, Read, Result, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// Bytes that are handed over together.
const CHUNK: usize = 1 << 16;
/// Chunks that wait for the reader.
const CHUNKS: usize = 4;

/// The reader.
pub(super) struct Piped {
    chunks: Receiver<Vec<u8>>,
    chunk: Cursor<Vec<u8>>,
    /// Until its end is known.
    thread: Option<JoinHandle<Result<()>>>,
}

impl Piped {
    /// Runs `write` in a thread.
    pub(super) fn new(write: impl FnOnce(&mut dyn Write) -> Result<()> + Send + 'static) -> Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS);
        let thread = thread::Builder::new().name("unpack".to_owned()).spawn(move || {
            let mut out = Chunks { sender, chunk: Vec::with_capacity(CHUNK) };
            let written = write(&mut out);
            out.flush().and(written)
        })?;
        Ok(Self { chunks, chunk: Cursor::default(), thread: Some(thread) })
    }
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let bytes = self.chunk.read(buffer)?;
            if bytes > 0 || buffer.is_empty() {
                return Ok(bytes);
            }
            if let Ok(chunk) = self.chunks.recv() {
                self.chunk = Cursor::new(chunk);
                continue;
            }
            let Some(thread) = self.thread.take() else { return Ok(0) };
            let damaged = |_| Err(Error::new(ErrorKind::InvalidData, "it is damaged"));
            return thread.join().unwrap_or_else(damaged).map(|()| 0);
        }
    }
}

/// The other end.
struct Chunks {
    sender: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.send(chunk).map_err(|_| Error::from(ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_written_is_read_and_errors_come_after_it() {
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let (copy, mut found) = (text.clone(), Vec::new());
        let mut piped = Piped::new(move |out| {
            copy.chunks(77_777).try_for_each(|part| out.write_all(part))?;
            Err(Error::other("the end"))
        });
        let piped = piped.as_mut().expect("thread");
        assert_eq!(piped.read_to_end(&mut found).expect_err("it failed").to_string(), "the end");
        assert!(found == text);
        assert_eq!(piped.read(&mut [0; 8]).expect("nothing more"), 0);
    }

    #[test]
    fn a_panic_is_an_error_and_a_reader_may_go() {
        let mut piped = Piped::new(|_| panic!("hostile")).expect("thread");
        assert_eq!(piped.read(&mut [0; 8]).expect_err("it failed").to_string(), "it is damaged");
        let mut endless = Piped::new(|out| {
            loop {
                out.write_all(&[0; 1_000])?;
            }
        })
        .expect("thread");
        endless.read_exact(&mut [0; 8]).expect("read");
        let thread = endless.thread.take().expect("runs");
        drop(endless);
        assert_eq!(thread.join().expect("no panic").expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    }
}
