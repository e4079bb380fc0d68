//! What an error of librdkafka means to us: try again, stop, or stop because another has taken over.
//!
//! Invariant: what is not known to pass is fatal. It never shows the value of a setting, which may be a password.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::Context;
use crate::Error;

/// The code of an error, also of those for which `rdkafka_error_code` has none.
pub(super) fn code(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether it passes by itself: brokers that are away, change roles, or are busy.
pub(super) fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
            | Code::WaitCache
            | Code::Retry
            | Code::InProgress
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::BrokerNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NotController
            | Code::ConcurrentTransactions
            | Code::KafkaStorageError
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::UnstableOffsetCommit
            | Code::ThrottlingQuotaExceeded
    )
}

/// How long to wait until a partition is asked for again whose leader is not known.
const LEADER_NAP: Duration = Duration::from_millis(50);

/// Asks again, for at most `wait`, while the partition has no leader or its leader moves: librdkafka looks for the new one
/// after each refusal, but hands the refusal out.
pub(super) fn until_led<T>(wait: Duration, mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let begun = Instant::now();
    loop {
        let moves = |code| matches!(code, Code::NotLeaderForPartition | Code::LeaderNotAvailable);
        match ask() {
            Err(error) if code(&error).is_some_and(moves) && begun.elapsed() < wait => std::thread::sleep(LEADER_NAP),
            answer => return answer,
        }
    }
}

/// Whether brokers know a newer epoch of the producer; why, see [`fence`](super::fence).
pub(super) fn is_fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Whether the group does not count this member, or this generation of it, any more.
pub(super) fn has_left(code: Code) -> bool {
    matches!(code, Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress)
}

/// The error of ours, about `what` was done.
pub(super) fn broker(what: impl std::fmt::Display, error: &KafkaError) -> Error {
    let shown = match error {
        KafkaError::ClientConfig(_, _, key, _) => format!("the setting {key} is not accepted"),
        other => match code(other) {
            Some(code) => code.to_string(),
            None => other.to_string(),
        },
    };
    let retry = code(error).is_some_and(is_transient);
    Error::Broker { what: format!("{what}: {shown}"), retry }
}

/// The same of a client that knows why it does not reach the brokers: that says more than the time-out which follows.
pub(super) fn unreached(what: impl std::fmt::Display, error: &KafkaError, client: &Context) -> Error {
    let follows =
        code(error).is_some_and(|code| is_transient(code) || matches!(code, Code::Authentication | Code::SSL));
    match client.trouble() {
        Some(trouble) if follows => {
            Error::Broker { what: format!("{what}: {}", trouble.what), retry: !client.is_refused() }
        }
        _ => broker(what, error),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaConfRes;

    use super::*;
    use crate::Kind;

    #[test]
    fn what_is_not_known_to_pass_is_fatal() {
        let kind = |code| broker("poll", &KafkaError::MessageConsumption(code)).kind();
        assert_eq!(kind(Code::AllBrokersDown), Kind::Retry);
        for code in [Code::Authentication, Code::TopicAuthorizationFailed, Code::Unknown, Code::SSL] {
            assert_eq!(kind(code), Kind::Fatal, "{code}");
        }
    }

    #[test]
    fn a_leader_that_moves_is_waited_for_and_nothing_else_is() {
        let answer = |refusals: &[Code], wait| {
            let mut refusals = refusals.iter();
            let ask = || refusals.next().map_or(Ok("led"), |code| Err(KafkaError::MetadataFetch(*code)));
            until_led(wait, ask).map_err(|error| code(&error))
        };
        let long = Duration::from_secs(600);
        assert_eq!(answer(&[Code::NotLeaderForPartition, Code::LeaderNotAvailable], long), Ok("led"));
        assert_eq!(answer(&[Code::OperationTimedOut], long), Err(Some(Code::OperationTimedOut)));
        assert_eq!(answer(&[Code::NotLeaderForPartition], Duration::ZERO), Err(Some(Code::NotLeaderForPartition)));
    }

    #[test]
    fn values_of_settings_are_not_shown() {
        let refused = RDKafkaConfRes::RD_KAFKA_CONF_INVALID;
        let [what, key, value] = ["hunter2 is wrong", "ssl.key.password", "hunter2"].map(str::to_owned);
        let shown = broker("connect", &KafkaError::ClientConfig(refused, what, key, value)).to_string();
        assert_eq!(shown, "kafka: connect: the setting ssl.key.password is not accepted");
    }
}
