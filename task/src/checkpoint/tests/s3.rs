//! The same over HTTP: in S3 as moto speaks it (`pip install 'moto[server]'`), or in a real store: `VITALS_TEST_S3` names
//! it as a configuration does, `s3://BUCKET/PREFIX` with the variables `AWS_*`; its prefix has to be empty.
//!
//! `MOTO_SERVER` names the program if it is not on the path; without one the test says that it was skipped, unless
//! `MOTO_SERVER` is set, then it fails.

use std::{
    env,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use object_store::aws::AmazonS3Builder;

use super::*;

/// A server that ends with the test.
struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// Starts one with a bucket, or says that there is none.
    fn start() -> Option<Moto> {
        let named = env::var_os("MOTO_SERVER");
        let program = named.clone().unwrap_or_else(|| "moto_server".into());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                assert!(named.is_none(), "{}: {error}", program.display());
                let mut stderr = std::io::stderr();
                writeln!(stderr, "SKIPPED: no S3 was tested, {} was not found", program.display()).unwrap();
                return None;
            }
        };
        let moto = Moto { child, port };
        let began = Instant::now();
        while moto.ask("PUT /vitals HTTP/1.0\r\nContent-Length: 0\r\n\r\n").is_none() {
            assert!(began.elapsed() < PATIENCE, "the server does not start");
            thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    fn ask(&self, request: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains(" 200 ").then_some(answer)
    }

    fn checkpoints(&self) -> Checkpoints {
        let patience = Patience { attempt: PATIENCE, retries: 3, pause: Duration::from_millis(10) };
        let builder = AmazonS3Builder::new()
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test");
        let bucket = store::bucket(builder, "s3://vitals/some/prefix", patience).unwrap();
        Checkpoints::with(Store::new(bucket, "s3://vitals/some/prefix", patience), keep(1)).unwrap()
    }
}

#[test]
fn s3_keeps_checkpoints_too() {
    if let Ok(address) = env::var("VITALS_TEST_S3") {
        return keeps_checkpoints(Checkpoints::open(&address, keep(1)).unwrap());
    }
    let Some(moto) = Moto::start() else { return };
    keeps_checkpoints(moto.checkpoints());
}

fn keeps_checkpoints(store: Checkpoints) {
    let mut fixture = Fixture::with(tempfile::tempdir().unwrap(), store);
    assert_eq!(fixture.restore("none").unwrap(), None);
    fixture.advance();
    let first = fixture.save();
    assert_eq!(first.files_uploaded, first.files);
    let before = dump(&fixture.state);
    assert_eq!(fixture.restored("first"), before);
    // Several parts.
    let value: Vec<u8> = (0..20_u32 << 18).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect();
    let mut batch = fixture.state.batch(0);
    batch.put("a", b"big", &value).unwrap();
    batch.write(fixture.offset).unwrap();
    let other = fixture.checkpoint();
    let error = fixture.checkpoints.save(&id(), &other).unwrap_err();
    assert!(matches!(error, Error::Taken { .. }), "a manifest is written where there is none, only: {error}");
    let expected = fixture.saved();
    assert!(fixture.newest().files.iter().any(|file| file.size > 2 * store::PIECE as u64));
    assert_eq!(fixture.restored("second"), expected);
    assert_eq!(fixture.checkpoints.verify(&fixture.newest(), false).unwrap(), Vec::<String>::new());
    // Dates of S3 are whole seconds: older than nothing is what was written a second before.
    thread::sleep(Duration::from_millis(2_100));
    let newest = fixture.saved();
    let garbage = fixture.checkpoints.collect(&id()).unwrap();
    assert_eq!(garbage.manifests.len(), 2);
    assert!(!garbage.objects.is_empty());
    assert_eq!(fixture.checkpoints.list().unwrap().len(), 1);
    assert_eq!(fixture.restored("third"), newest);
}
