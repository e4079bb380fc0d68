//! The four things of librdkafka that rdkafka does not offer, or offers in a way that does not do.
//!
//! Invariant: every pointer comes from a client or message that is borrowed for the whole call.
#![expect(unsafe_code, reason = "rdkafka 0.39 has no safe call that does these four")]

use std::{ffi::CStr, ptr, slice, time::Duration};

use rdkafka::{
    bindings,
    client::{Client, OAuthToken},
    message::BorrowedMessage,
    producer::{BaseProducer, Producer as _},
    types::RDKafkaRespErr,
};

use super::context::Context;

/// Sends what waits, at once; false if some of it is still on its way after the time.
/// `BaseProducer::flush` sleeps 100 ms whenever something is.
pub(super) fn flush(producer: &BaseProducer<Context>, wait: Duration) -> bool {
    let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client outlives the call; librdkafka locks by itself.
    let outcome = unsafe { bindings::rd_kafka_flush(producer.client().native_ptr(), millis) };
    outcome == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Gives the client a token. The admin client never asks for one: it does not poll its main queue.
pub(super) fn set_token(client: &Client<Context>, token: OAuthToken) -> Result<(), String> {
    let text = |text: String| std::ffi::CString::new(text).map_err(|_| "the token has a NUL in it".to_owned());
    let (value, principal) = (text(token.token)?, text(token.principal_name)?);
    let mut error = [0; 256];
    // SAFETY: all strings end with NUL and outlive the call, the buffer is as long as is said.
    let outcome = unsafe {
        bindings::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            error.as_mut_ptr(),
            error.len(),
        )
    };
    if outcome == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka ended the text with NUL, within the buffer.
    Err(unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned())
}

/// The id that the group has given to this consumer; none while it has none.
pub(super) fn member_id(client: &Client<Context>) -> Option<String> {
    // SAFETY: the client outlives the call, and the text is ours until it is freed below.
    let text = unsafe { bindings::rd_kafka_memberid(client.native_ptr()) };
    if text.is_null() {
        return None;
    }
    // SAFETY: the text ends with NUL; it is copied before it is freed, once, by the library that made it.
    let id = unsafe {
        let id = CStr::from_ptr(text).to_string_lossy().into_owned();
        bindings::rd_kafka_mem_free(client.native_ptr(), text.cast());
        id
    };
    (!id.is_empty()).then_some(id)
}

/// Headers of a message. rdkafka panics at a name that is not UTF-8, which anybody may send.
pub(super) fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<(String, &'a [u8])> {
    let mut list = ptr::null_mut();
    // SAFETY: the message is alive; `list` is set if there is no error, and belongs to the message.
    let outcome = unsafe { bindings::rd_kafka_message_headers(message.ptr(), &raw mut list) };
    if outcome != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Vec::new();
    }
    let mut headers = Vec::new();
    loop {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `list` is the message's; what is returned lives as long as the message.
        let outcome = unsafe {
            bindings::rd_kafka_header_get_all(list, headers.len(), &raw mut name, &raw mut value, &raw mut size)
        };
        if outcome != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return headers;
        }
        // SAFETY: as above; a name ends with NUL, a value that is there has `size` bytes.
        headers.push(unsafe {
            let value = if value.is_null() { &[] } else { slice::from_raw_parts(value.cast(), size) };
            (CStr::from_ptr(name).to_string_lossy().into_owned(), value)
        });
    }
}
