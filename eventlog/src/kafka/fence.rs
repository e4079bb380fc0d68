//! Why a producer was fenced, which brokers do not say.
//!
//! They raise its epoch when a newer producer takes its name, and also when they take back a transaction that was open
//! for longer than its time-out; the next request of the old producer gets the same answer both times. In the first case
//! another process works in its place, and this one has to end: opened again, it would fence its successor. In the second
//! case there is no successor, and the process continues with a new producer.
//!
//! The group tells the two apart. Members are static: each has a name that it keeps over restarts (`group.instance.id`),
//! and the coordinator makes its member id of it, `NAME-UUID`. A newer process of the name gets a new id, and the id of
//! the old one is gone. Behind a door there is no group; there, time decides: brokers take nothing back before the
//! time-out.
//!
//! ```text
//!     the group has under our name       transaction was open        so
//!     our member id                      -                           it took too long: go on
//!     nobody (our session is over, too)  -                           it took too long: go on
//!     another member id                  -                           another process has the name: end
//!     no answer, or there is no group    as long as the time-out     it took too long: go on
//!                                        for less                    another process has the name: end
//! ```
//!
//! Going on by mistake ends well: a producer only writes, so a name that two of them want goes to the last one, and the
//! group allows one member of a name, so the other process ends there.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{Context, closing::Closing, native};

/// Length of the UUID in a member id, and of the hyphen before it.
const SUFFIX: usize = 37;

/// A member of a group, by which a producer commits the offsets of that group.
#[derive(Clone)]
pub(super) struct Membership {
    /// Name of the group, without the prefix.
    pub(super) group: String,
    /// Name of the group on the cluster.
    pub(super) full: String,
    /// `group.instance.id`, for a static member.
    pub(super) instance: Option<String>,
    pub(super) member: Weak<Closing<BaseConsumer<Context>>>,
}

impl Membership {
    /// The consumer, while it is open.
    pub(super) fn client(&self) -> Option<Arc<Closing<BaseConsumer<Context>>>> {
        self.member.upgrade()
    }

    /// Who the group says sits under our name; none where the member has no name, or brokers do not answer.
    fn seat(&self, wait: Duration) -> Option<Seat> {
        let (instance, client) = (self.instance.as_ref()?, self.client()?);
        let groups = client.fetch_group_list(Some(&self.full), wait).ok()?;
        let group = groups.groups().iter().find(|group| group.name() == self.full)?;
        let members = group.members().iter().map(|member| member.id());
        Some(seat(instance, native::member_id(client.client()).as_deref(), members))
    }
}

/// A place in a group, of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// This process sits there, or nobody.
    Ours,
    /// Another process does.
    Others,
}

/// Why a producer was fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// Its transaction took too long.
    Expired,
    /// Another process has its name.
    Taken,
}

/// Asks the groups behind a producer; then decides.
pub(super) fn why(behind: &[Membership], open_for: Duration, limit: Duration, wait: Duration) -> Fence {
    let seats: Vec<Seat> = behind.iter().filter_map(|membership| membership.seat(wait)).collect();
    let seat = seats.iter().find(|seat| **seat == Seat::Others).or(seats.first());
    decide(seat.copied(), open_for, limit)
}

/// Who sits under a name: members of other names do not count.
fn seat<'a>(instance: &str, own: Option<&str>, mut members: impl Iterator<Item = &'a str>) -> Seat {
    let of_name = |id: &str| {
        let rest = id.strip_prefix(instance);
        rest.is_some_and(|rest| rest.len() == SUFFIX && rest.starts_with('-'))
    };
    let others = members.any(|id| of_name(id) && Some(id) != own);
    if others { Seat::Others } else { Seat::Ours }
}

fn decide(seat: Option<Seat>, open_for: Duration, limit: Duration) -> Fence {
    match seat {
        Some(Seat::Ours) => Fence::Expired,
        Some(Seat::Others) => Fence::Taken,
        None if open_for >= limit => Fence::Expired,
        None => Fence::Taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "pod-1.events.v1";

    fn id(name: &str, digit: char) -> String {
        format!("{name}-{}", "00000000-0000-4000-8000-00000000000".to_owned() + &digit.to_string())
    }

    #[test]
    fn a_seat_is_of_who_has_its_name_now() {
        let sits = |own: Option<&str>, members: &[String]| seat(NAME, own, members.iter().map(String::as_str));
        let (own, newer) = (id(NAME, '1'), id(NAME, '2'));
        let neighbours = [id("pod-11.events.v1", '3'), id("pod-1.events.v1-0", '4'), id("pod-2.events.v1", '5')];
        assert_eq!(sits(Some(&own), std::slice::from_ref(&own)), Seat::Ours);
        assert_eq!(sits(Some(&own), std::slice::from_ref(&newer)), Seat::Others);
        assert_eq!(sits(None, &[newer]), Seat::Others, "the client has given up an id that is out of the group");
        assert_eq!(sits(Some(&own), &neighbours), Seat::Ours, "nobody sits there");
        assert_eq!(sits(Some(&own), &[]), Seat::Ours);
    }

    #[test]
    fn only_a_seat_that_another_took_ends_a_process() {
        let (short, limit, long) = (Duration::from_secs(1), Duration::from_secs(15), Duration::from_secs(40));
        for open_for in [short, limit, long] {
            assert_eq!(decide(Some(Seat::Ours), open_for, limit), Fence::Expired, "{open_for:?}");
            assert_eq!(decide(Some(Seat::Others), open_for, limit), Fence::Taken, "{open_for:?}");
        }
        assert_eq!(decide(None, short, limit), Fence::Taken, "brokers take nothing back so early");
        assert_eq!(decide(None, limit, limit), Fence::Expired);
        assert_eq!(decide(None, long, limit), Fence::Expired);
    }
}
