//! What the user is told about a directory that cannot be used.

use super::*;

fn message(path: &Path) -> String {
    match Embedded::open(path, Config::default()) {
        Err(error) => error.to_string(),
        Ok(log) => match read_all(&log, 0) {
            Err(error) => error.to_string(),
            Ok(values) => format!("no error, {} records", values.len()),
        },
    }
}

fn filled(path: &Path) {
    let log = Embedded::open(path, Config::default()).unwrap();
    create(&log, 1);
    let values = (0..500).map(|n| format!("{n} {}", "y".repeat(n % 50)));
    log.producer("p").unwrap().commit(Commit { outputs: outputs(0, values), offsets: vec![] }).unwrap();
    log.shared.storage.flush();
}

#[test]
fn a_directory_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let _log = Embedded::open(dir.path(), Config::default()).unwrap();
    let path = dir.path().display();
    let wanted = format!("{path} is in use by another vitals process; stop it, or give another --data");
    assert_eq!(message(dir.path()), wanted);
}

#[test]
fn a_newer_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = Embedded::open(dir.path(), Config::default()).unwrap();
    let mut batch = WriteBatch::default();
    batch.put("format", 7u32.to_be_bytes());
    log.shared.storage.write(batch, true).unwrap();
    drop(log);
    let wanted = "was written by a newer version (format 7, this one reads up to 2); use that version";
    assert_eq!(message(dir.path()), format!("{} {wanted}", dir.path().display()));
}

#[test]
fn a_log_of_the_first_format_is_read_and_takes_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let log = Embedded::open(dir.path(), Config::default()).unwrap();
    let mut batch = WriteBatch::default();
    batch.put("format", 1u32.to_be_bytes());
    log.shared.storage.write(batch, true).unwrap();
    drop(log);

    assert_eq!(message(dir.path()), "no error, 500 records");
    let log = Embedded::open(dir.path(), Config::default()).unwrap();
    assert_eq!(log.shared.storage.get(b"format").unwrap().unwrap(), storage::FORMAT.to_be_bytes());
}

#[test]
fn a_flipped_bit_in_a_table_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    filled(&path);
    let table = files(&path, "sst").pop().unwrap();
    let bytes = std::fs::read(&table).unwrap();
    for at in [10, bytes.len() / 3, bytes.len() - 20] {
        let copy = dir.path().join(format!("flip-{at}"));
        crash::copy_dir(&path, &copy);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(copy.join(table.file_name().unwrap()), flipped).unwrap();
        let message = message(&copy);
        assert!(message.starts_with(&format!("{} is damaged: ", copy.display())), "{at}: {message}");
        assert!(message.ends_with("; restore it from a backup"), "{at}: {message}");
    }
}

#[test]
fn a_lost_table_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    std::fs::remove_file(files(dir.path(), "sst").pop().unwrap()).unwrap();
    let message = message(dir.path());
    assert!(message.contains(" is damaged: ") && message.ends_with("; restore it from a backup"), "{message}");
}

#[test]
fn a_batch_that_does_not_decode_is_located() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let log = Embedded::open(dir.path(), Config::default()).unwrap();
    let mut batch = WriteBatch::default();
    log.shared.storage.put_batch(&mut batch, storage::batch_key(0, 0, 0), b"nonsense");
    log.shared.storage.write(batch, true).unwrap();
    let message = read_all(&log, 0).unwrap_err().to_string();
    assert!(message.contains("topic t partition 0 offset 0: not a batch"), "{message}");
}
