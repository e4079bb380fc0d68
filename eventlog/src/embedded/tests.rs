//! Tests of the embedded log: the suite that every log passes, and what only this one can be asked.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::{Cleanup, Commit, Output, Poll, Record, conformance};

mod cleaning;
mod crash;
mod damage;
mod follow;
mod speed;

struct Harness {
    dir: TempDir,
    log: Option<Arc<Embedded>>,
}

impl Harness {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Some(Embedded::open(dir.path(), Config::default()).unwrap());
        Self { dir, log }
    }

    fn embedded(&self) -> &Arc<Embedded> {
        self.log.as_ref().unwrap()
    }
}

impl conformance::Harness for Harness {
    fn log(&self) -> Arc<dyn Log> {
        self.embedded().clone()
    }

    fn reopen(&mut self) -> Result<()> {
        self.log = None;
        self.log = Some(Embedded::open(self.dir.path(), Config::default())?);
        Ok(())
    }

    fn clean(&self, now_us: i64) -> Result<bool> {
        self.embedded().clean(now_us).map(|_| true)
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn shares_groups(&self) -> bool {
        false
    }
}

#[test]
fn passes_the_suite() {
    conformance::run(1, || Box::new(Harness::new()));
}

fn create(log: &Embedded, partitions: u32) {
    log.create_topic(&TopicSpec { name: "t".into(), partitions, cleanup: Cleanup::Keep }).unwrap();
}

fn outputs(partition: u32, values: impl IntoIterator<Item = String>) -> Vec<Output> {
    let record = |value: String| Record { key: "k".into(), value: Some(value.into()), ..Record::default() };
    values.into_iter().map(|v| Output { topic: "t".into(), partition, record: record(v) }).collect()
}

fn read_all(log: &Embedded, partition: u32) -> Result<Vec<String>> {
    let mut consumer = log.consumer(Assignment::manual("t", [(partition, 0)]))?;
    let mut all = Vec::new();
    while let Poll::Records { records, .. } = consumer.poll(usize::MAX, std::time::Duration::ZERO)? {
        all.extend(records.into_iter().map(|r| String::from_utf8(r.record.value.unwrap().to_vec()).unwrap()));
    }
    Ok(all)
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = all.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    found
}
