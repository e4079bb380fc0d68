//! What goes over the wire: frames of a kind, a length and so many bytes.
//!
//! Invariant: a frame is at most [`MAX`] long, so that who reads it needs no more memory.

use anyhow::{Result, ensure};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;

/// Bytes of a frame.
const MAX: usize = 1 << 20;
/// Kind and length.
const HEAD: usize = 5;

pub(super) const ASK: u8 = b'a';
pub(super) const FILE: u8 = b'f';
pub(super) const DATA: u8 = b'd';
pub(super) const END: u8 = b'e';
pub(super) const OUT: u8 = b'o';
pub(super) const REJECTS: u8 = b'r';
pub(super) const REASONS: u8 = b't';
pub(super) const EXIT: u8 = b'x';

/// A kind and its bytes.
pub(super) type Frame = (u8, Vec<u8>);

/// A frame as it is sent.
pub(super) fn encode(kind: u8, bytes: &[u8]) -> Result<Bytes> {
    ensure!(bytes.len() <= MAX, "{} bytes are too long for a frame", bytes.len());
    let length = u32::try_from(bytes.len())?;
    Ok([&[kind], &length.to_be_bytes()[..], bytes].concat().into())
}

/// The frames of a body.
pub(super) struct Frames {
    body: Body,
    /// What came and is not read yet.
    rest: Vec<u8>,
}

impl Frames {
    pub(super) fn of(body: Body) -> Self {
        Self { body, rest: Vec::new() }
    }

    /// The next frame; none at the end of the body.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            match self.body.frame().await.transpose()? {
                Some(part) => self.rest.extend_from_slice(part.data_ref().map_or(&[], |data| data)),
                None => {
                    ensure!(self.rest.is_empty(), "it broke off within a frame");
                    return Ok(None);
                }
            }
        }
    }

    fn take(&mut self) -> Result<Option<Frame>> {
        let Some((&[kind, a, b, c, d], _)) = self.rest.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d]))?;
        ensure!(length <= MAX, "a frame of {length} bytes is too long");
        if self.rest.len() < HEAD + length {
            return Ok(None);
        }
        let bytes = self.rest[HEAD..HEAD + length].to_vec();
        self.rest.drain(..HEAD + length);
        Ok(Some((kind, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: Vec<u8>) -> Result<Vec<Frame>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let (mut frames, mut found) = (Frames::of(Body::from(bytes)), Vec::new());
            while let Some(frame) = frames.next().await? {
                found.push(frame);
            }
            Ok(found)
        })
    }

    #[test]
    fn frames_come_as_they_were_sent_and_broken_ones_are_named() {
        let sent = [encode(OUT, b"text").unwrap(), encode(END, b"").unwrap()].concat();
        assert_eq!(all(sent.clone()).unwrap(), [(OUT, b"text".to_vec()), (END, Vec::new())]);
        assert!(all(sent[..7].to_vec()).unwrap_err().to_string().contains("broke off"));
        assert!(all(vec![OUT, 255, 255, 255, 255]).unwrap_err().to_string().contains("too long"));
        assert!(encode(OUT, &vec![0; MAX + 1]).is_err());
    }
}
