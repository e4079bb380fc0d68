//! The bytes of a body: read as they come, then decompressed, both up to a limit.

use std::io::Read;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt as _;

use crate::{Refusal, Share};

/// As RFC 8878 recommends for what anybody may send: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Reads a body as it was sent.
///
/// # Errors
/// When it is longer than `limit` bytes, does not fit into the budget, or breaks off.
pub async fn read(mut body: Body, limit: usize, share: &mut Share) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        append(&mut bytes, &data, limit, share)?;
    }
    Ok(bytes)
}

/// Takes a body, up to a limit, and keeps nothing of it.
pub async fn skip(mut body: Body, limit: usize) {
    let mut taken = 0;
    while taken <= limit
        && let Some(Ok(frame)) = body.frame().await
    {
        taken += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn append(bytes: &mut Vec<u8>, data: &[u8], limit: usize, share: &mut Share) -> Result<(), Refusal> {
    if bytes.len() + data.len() > limit {
        let reason = format!("the body is longer than {limit} bytes: send it in several requests");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    share.grow(data.len())?;
    bytes.extend_from_slice(data);
    Ok(())
}

impl Coding {
    /// What the headers say.
    ///
    /// # Errors
    /// When it is another one.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content encoding is {}, expected gzip, zstd or none", other.escape_debug()),
            )),
        }
    }

    /// Decompresses; stops at the limit, however much more there would be.
    ///
    /// # Errors
    /// When it does not decompress, or is longer than `limit` bytes.
    pub fn decode(self, bytes: Vec<u8>, limit: usize, share: &mut Share) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Identity => Ok(bytes),
            Self::Gzip => inflate(flate2::read::MultiGzDecoder::new(bytes.as_slice()), limit, share),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
                inflate(decoder, limit, share)
            }
        }
    }
}

fn inflate(mut from: impl Read, limit: usize, share: &mut Share) -> Result<Vec<u8>, Refusal> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match from.read(&mut chunk).map_err(broken)? {
            0 => return Ok(bytes),
            read => append(&mut bytes, &chunk[..read], limit, share)?,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: std::io::Error) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("the body does not decompress: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::Budget;

    const LIMIT: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(coding: Coding, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut share = Budget::new(64 << 20).share();
        coding.decode(bytes, LIMIT, &mut share).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn both_codings_decode() {
        let text = b"vital signs ".repeat(100);
        assert_eq!(decode(Coding::Gzip, gzip(&text)).unwrap(), text);
        assert_eq!(decode(Coding::Zstd, zstd::encode_all(&*text, 3).unwrap()).unwrap(), text);
        assert_eq!(decode(Coding::Identity, text.clone()).unwrap(), text);
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 200 << 20];
        for (coding, bomb) in [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd::encode_all(&*zeros, 3).unwrap())] {
            assert!(bomb.len() < LIMIT, "{} bytes", bomb.len());
            assert!(decode(coding, bomb).unwrap_err().contains("longer than 1048576 bytes"), "{coding:?}");
        }
    }

    #[test]
    fn garbage_is_named() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            assert!(decode(coding, b"garbage".to_vec()).unwrap_err().contains("does not decompress"), "{coding:?}");
        }
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[0; 1000]).unwrap();
        let error = decode(Coding::Zstd, encoder.finish().unwrap()).unwrap_err();
        assert!(error.contains("does not decompress"), "{error}");
    }
}
