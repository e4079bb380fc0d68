//! An object store that fails as told, over one in memory.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// As with a status of 500.
    Error,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// No reply ever.
    Hang,
}

/// Decides from the operation ("put", "get", "list", "delete") and its key.
pub(crate) type Rule = Box<dyn FnMut(&str, &str) -> Option<Fault> + Send>;

/// The store.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<InMemory>,
    rule: Arc<Mutex<Rule>>,
}

impl Faulty {
    /// One that does not fail yet.
    pub(crate) fn new() -> Faulty {
        Faulty { inner: Arc::default(), rule: Arc::new(Mutex::new(Box::new(|_, _| None))) }
    }

    /// Fails like this from now on.
    pub(crate) fn fail(&self, rule: impl FnMut(&str, &str) -> Option<Fault> + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    async fn before(&self, operation: &str, key: &Path) -> Result<bool> {
        let fault = (self.rule.lock().unwrap())(operation, key.as_ref());
        match fault {
            None => Ok(false),
            Some(Fault::ReplyLost) => Ok(true),
            Some(Fault::Error) => Err(error()),
            Some(Fault::Hang) => std::future::pending().await,
        }
    }
}

fn error() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "500 Internal Server Error".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let lost = self.before("put", key).await?;
        let done = self.inner.put_opts(key, payload, options).await;
        if lost { Err(error()) } else { done }
    }

    async fn put_multipart_opts(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.before("put", key).await?;
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.before("get", key).await?;
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, key) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            match store.before("list", &key).await {
                Ok(_) => store.inner.list(Some(&key)),
                Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
            }
        };
        futures_util::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
