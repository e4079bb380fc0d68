//! The object store: a directory, or S3 (feature `s3`), behind the few operations that checkpoints need.
//!
//! Invariants: every operation moves at most [`PIECE`] bytes an attempt, has a time-out and is retried;
//! what will not change by itself (an object that is not there, no permission) is not. An object
//! appears whole or not at all. It does not know what is in an object.
//!
//! 2026-11: the retries of the S3 client are off. One loop (backon) serves all stores, so that the
//! tests with a failing store show what happens with S3 too.

use std::{future::Future, io::Read as _, path::Path as FsPath, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
#[cfg(feature = "s3")]
use object_store::{
    ClientConfigKey, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    prefix::PrefixStore,
};
use object_store::{
    Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, local::LocalFileSystem, path::Path,
};

use super::error::{Error, Result};

/// Bytes that an attempt moves at most. S3 wants at least 5 MiB a part.
pub(super) const PIECE: usize = 8 << 20;

/// How long to insist.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Time-out of one attempt.
    pub(super) attempt: Duration,
    /// Attempts after the first.
    pub(super) retries: usize,
    /// Pause before the second attempt; doubled each time, with jitter.
    pub(super) pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { attempt: Duration::from_secs(60), retries: 5, pause: Duration::from_millis(200) }
    }
}

/// An object as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Last part of its key.
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    /// When it was written, by the clock of the store; microseconds since the Unix epoch.
    pub(super) modified: i64,
}

/// An object store.
pub(super) struct Store {
    objects: Arc<dyn ObjectStore>,
    address: String,
    patience: Patience,
}

impl Store {
    /// Opens a directory, which is made if need be, or `s3://BUCKET/PREFIX`.
    pub(super) fn open(address: &str, patience: Patience) -> Result<Store> {
        let objects = match address.split_once("://") {
            None => directory(address)?,
            Some(("file", path)) => directory(path)?,
            Some(("s3", _)) => s3(address, patience)?,
            Some(_) => return Err(wrong(address, "expected a directory or s3://BUCKET/PREFIX")),
        };
        Ok(Store::new(objects, address, patience))
    }

    /// Wraps any store.
    pub(super) fn new(objects: Arc<dyn ObjectStore>, address: &str, patience: Patience) -> Store {
        Store { objects, address: address.to_owned(), patience }
    }

    /// Everything directly under a prefix.
    pub(super) async fn list(&self, prefix: &Path) -> Result<Vec<Listed>> {
        let listed = self.insist(prefix, || self.objects.list(Some(prefix)).try_collect::<Vec<_>>()).await?;
        let below = |meta: &object_store::ObjectMeta| {
            let mut rest = meta.location.prefix_match(prefix)?;
            let name = rest.next()?;
            rest.next().is_none().then(|| name.as_ref().to_owned())
        };
        let item = |meta: object_store::ObjectMeta| {
            let modified = meta.last_modified.timestamp_micros();
            below(&meta).map(|name| Listed { name, size: meta.size, modified })
        };
        Ok(listed.into_iter().filter_map(item).collect())
    }

    /// The folders directly under a prefix.
    pub(super) async fn folders(&self, prefix: &Path) -> Result<Vec<String>> {
        let listed = self.insist(prefix, || self.objects.list_with_delimiter(Some(prefix))).await?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// A small object, or `None` if it is not there.
    pub(super) async fn get(&self, key: &Path) -> Result<Option<Bytes>> {
        found(self.insist(key, || async { self.objects.get(key).await?.bytes().await }).await)
    }

    /// A piece of an object, or `None` if the object is not there.
    pub(super) async fn piece(&self, key: &Path, from: u64, size: usize) -> Result<Option<Bytes>> {
        let range = from..from.saturating_add(size as u64);
        let get = || async {
            let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
            self.objects.get_opts(key, options).await?.bytes().await
        };
        found(self.insist(key, get).await)
    }

    /// Writes a small object, unless there is one; says whether it did.
    pub(super) async fn put_new(&self, key: &Path, bytes: Bytes) -> Result<bool> {
        let put = || self.objects.put_opts(key, bytes.clone().into(), PutMode::Create.into());
        match self.insist(key, put).await {
            Ok(_) => Ok(true),
            Err(Error::Store {
                source: StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }, ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a file of `size` bytes; an object that is there is replaced at once, with a new date.
    pub(super) async fn put_file(&self, key: &Path, file: &FsPath, size: u64) -> Result<()> {
        if size <= PIECE as u64 {
            let bytes = Bytes::from(std::fs::read(file).map_err(|source| disk(file, source))?);
            return self.insist(key, || self.objects.put(key, bytes.clone().into())).await.map(drop);
        }
        // A part that failed cannot be sent again alone, so the whole file is.
        let attempt = || self.put_parts(key, file);
        attempt.retry(self.pauses()).when(retriable).notify(notice).await
    }

    async fn put_parts(&self, key: &Path, file: &FsPath) -> Result<()> {
        let mut reader = std::fs::File::open(file).map_err(|source| disk(file, source))?;
        let mut upload = self.attempt(key, self.objects.put_multipart(key)).await?;
        let sent = async {
            loop {
                let mut piece = Vec::new();
                reader.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(|source| disk(file, source))?;
                if piece.is_empty() {
                    return self.attempt(key, upload.complete()).await.map(drop);
                }
                self.attempt(key, upload.put_part(piece.into())).await?;
            }
        };
        let sent = sent.await;
        if sent.is_err() {
            // Parts that stay behind cost room only; a bucket's lifecycle rule removes them too.
            let _ = self.attempt(key, upload.abort()).await;
        }
        sent
    }

    /// Deletes an object; one that is gone already is fine.
    pub(super) async fn delete(&self, key: &Path) -> Result<()> {
        found(self.insist(key, || self.objects.delete(key)).await).map(drop)
    }

    async fn insist<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        key: &Path,
        operation: impl Fn() -> F,
    ) -> Result<T> {
        let attempt = || self.attempt(key, operation());
        attempt.retry(self.pauses()).when(retriable).notify(notice).await
    }

    async fn attempt<T>(&self, key: &Path, operation: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        let (store, key) = (self.address.clone(), key.to_string());
        match tokio::time::timeout(self.patience.attempt, operation).await {
            Ok(done) => done.map_err(|source| Error::Store { store, key, source }),
            Err(_) => Err(Error::Silent { store, key, seconds: self.patience.attempt.as_secs() }),
        }
    }

    fn pauses(&self) -> ExponentialBuilder {
        let pauses = ExponentialBuilder::default().with_jitter().with_min_delay(self.patience.pause);
        pauses.with_max_delay(Duration::from_secs(10)).with_max_times(self.patience.retries)
    }
}

/// Whether the same may succeed the next time.
fn retriable(error: &Error) -> bool {
    match error {
        Error::Silent { .. } => true,
        Error::Store { source, .. } => matches!(source, StoreError::Generic { .. } | StoreError::JoinError { .. }),
        _ => false,
    }
}

fn notice(error: &Error, pause: Duration) {
    tracing::debug!(%error, ?pause, "the object store is asked again");
}

fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Store { source: StoreError::NotFound { .. }, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error about a file.
pub(super) fn disk(path: &FsPath, source: std::io::Error) -> Error {
    Error::File { path: path.to_owned(), source }
}

fn wrong(address: &str, what: impl Into<String>) -> Error {
    Error::Address { address: address.to_owned(), what: what.into() }
}

fn directory(path: &str) -> Result<Arc<dyn ObjectStore>> {
    std::fs::create_dir_all(path).map_err(|source| disk(FsPath::new(path), source))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|error| wrong(path, error.to_string()))?;
    Ok(Arc::new(store.with_fsync(true)))
}

#[cfg(not(feature = "s3"))]
fn s3(address: &str, _: Patience) -> Result<Arc<dyn ObjectStore>> {
    Err(wrong(address, "this build has no S3; build it with `--features s3`"))
}

/// Credentials, region and endpoint come from the environment, under the names that AWS gives them.
#[cfg(feature = "s3")]
fn s3(address: &str, patience: Patience) -> Result<Arc<dyn ObjectStore>> {
    bucket(AmazonS3Builder::from_env(), address, patience)
}

/// A bucket and a prefix, with what the builder has for the rest.
#[cfg(feature = "s3")]
pub(super) fn bucket(builder: AmazonS3Builder, address: &str, patience: Patience) -> Result<Arc<dyn ObjectStore>> {
    // Whoever came first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let mut builder = builder.with_url(address).with_retry(retry);
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    if loopback(&endpoint) {
        builder = builder.with_allow_http(true);
    }
    let attempt = format!("{} ms", patience.attempt.as_millis());
    builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), attempt);
    let store = builder.build().map_err(|error| wrong(address, error.to_string()))?;
    let rest = address.trim_start_matches("s3://");
    let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// Plain HTTP is for this machine only, unless `AWS_ALLOW_HTTP` says otherwise.
#[cfg(feature = "s3")]
fn loopback(endpoint: &str) -> bool {
    let authority = endpoint.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let Some(authority) = authority.filter(|authority| !authority.contains('@')) else { return false };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(all(test, feature = "s3"))]
mod tests {
    #[test]
    fn plain_http_is_for_this_machine() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:5000", true),
            ("http://localhost/", true),
            ("http://[::1]:9000", true),
            ("https://127.0.0.1:5000", false),
            ("http://10.0.0.1:9000", false),
            ("http://127.0.0.1.example.com", false),
            ("http://127.0.0.1:1@example.com", false),
            ("", false),
        ] {
            assert_eq!(super::loopback(endpoint), expected, "{endpoint}");
        }
    }
}
