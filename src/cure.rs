//! What to do about an error of the store, in the words of the command line: the store itself knows no commands.

use std::path::Path;

use store::Error;

/// What follows the message, from its semicolon or comma on; nothing where the message says it all.
pub(crate) fn of(error: &Error) -> Option<String> {
    Some(match error {
        Error::Missing { path } => {
            let data = path.parent().unwrap_or(Path::new("."));
            format!("; make one with `vitals import FILE --data {}`", data.display())
        }
        Error::Older { .. } => {
            "; the next import, ingest or demo makes it again from the log, on Kafka `vitals rebuild` does".to_owned()
        }
        Error::Damaged { .. } => "; move it away and make it again from the log with `vitals rebuild`".to_owned(),
        Error::Foreign { .. } => "; give another --data".to_owned(),
        Error::UnknownMetric { hint, .. } if hint.is_empty() => "; `vitals metrics` lists all".to_owned(),
        Error::NotPerAccount { instead: None, .. } => "; ask without --account".to_owned(),
        Error::Filter { dimension } => format!("; give --by {dimension}, too"),
        _ => return None,
    })
}
