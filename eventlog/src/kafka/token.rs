//! What Kafka's client has to know of a JSON web token: whose it is and when it ends.
//!
//! It does not check the signature: the brokers do.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Two of its claims.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// `sub`.
    pub(super) subject: String,
    /// `exp`, in milliseconds since the Unix epoch.
    pub(super) expires_ms: i64,
}

/// Reads the middle part; `None` if the text is no such token.
pub(super) fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let subject = claims.get("sub")?.as_str()?.to_owned();
    let expires_ms = claims.get("exp")?.as_i64()?.checked_mul(1000)?;
    Some(Claims { subject, expires_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read() {
        let token = |claims: &str| format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims));
        let expected = Claims { subject: "vitals".to_owned(), expires_ms: 1_800_000_000_000 };
        assert_eq!(claims(&token(r#"{"sub":"vitals","exp":1800000000}"#)), Some(expected));
        for bad in ["", "a.b", "e30.!.", &token("{}"), &token(r#"{"sub":"vitals"}"#), &token("[]")] {
            assert_eq!(claims(bad), None, "{bad}");
        }
    }
}
