//! The demo in one process: what `vitals up` runs, with the door closed until the year is over.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::bail;
use ingest::live::{Handle, Live};
use proto::v1::Event;

use super::Args;
use crate::{
    Usage,
    config::Config,
    engine::Engine,
    node::Part,
    site::Site,
    up::{self, Port, Roles},
};

/// The stages, and the port that is there if the demo goes on live.
pub(super) struct Here {
    pub(super) engine: Arc<Engine>,
    /// Where the port is.
    pub(super) address: Option<SocketAddr>,
    front: Option<Front>,
}

/// The port, and the door behind it.
struct Front {
    handle: Handle,
    /// Until it is opened.
    live: Option<Live>,
    door: Option<JoinHandle<ingest::Result<()>>>,
    ended: Arc<AtomicBool>,
    served: JoinHandle<Result<(), http::Error>>,
}

impl Here {
    /// Starts the stages and the port. Where the flag names no address and that of the configuration is taken, a free one does.
    pub(super) fn start(args: &Args, config: &Config, path: &Path, stop: &Arc<AtomicBool>) -> anyhow::Result<Self> {
        if args.once {
            let site = Arc::new(Site::open("demo", path, config.plan().map_err(Usage)?, config)?);
            let engine = Engine::start(site, &[Part::Processor, Part::Sink], None)?;
            return Ok(Self { engine, address: None, front: None });
        }
        let free = |error: anyhow::Error| match args.listen {
            None if error.is::<http::Error>() => Port::open(Some(SocketAddr::from(([127, 0, 0, 1], 0))), config),
            _ => Err(error),
        };
        let port = Port::open(args.listen, config).or_else(free)?;
        let address = port.address()?;
        let (engine, live, front) = up::start(Roles::All, port, config, path, stop)?;
        let (handle, ended) = (front.handle.clone(), Arc::new(AtomicBool::new(false)));
        let ends = ended.clone();
        let serve = move || front.serve(move || ends.load(Ordering::Relaxed), &mut io::sink());
        let served = std::thread::Builder::new().name("port".to_owned()).spawn(serve)?;
        let front = Front { handle, live: Some(live), door: None, ended, served };
        Ok(Self { engine, address: Some(address), front: Some(front) })
    }

    /// Opens the door; says where it is.
    pub(super) fn open(&mut self) -> anyhow::Result<Option<SocketAddr>> {
        if let Some(front) = &mut self.front
            && let Some(live) = front.live.take()
        {
            front.door = Some(up::run_door(live)?);
        }
        Ok(self.address)
    }

    /// Hands in events; whether they are in the log. One that is there twice counts once.
    pub(super) fn post(&self, events: &[Event]) -> bool {
        let asked = self.front.as_ref().and_then(|front| front.handle.submit(events.to_vec()).ok());
        asked.and_then(|answer| answer.blocking_recv().ok()).is_some_and(|answer| answer.is_ok())
    }

    /// Ends the port and the door, and waits until everything is stored.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        if let Some(front) = self.front.take() {
            front.ended.store(true, Ordering::Relaxed);
            let served = front.served.join();
            drop(front.handle);
            match front.door.map(JoinHandle::join).transpose() {
                Ok(closed) => closed.transpose()?,
                Err(_) => bail!("the door panicked: this is a defect, please report it with the log"),
            };
            served.map_err(|_| anyhow::anyhow!("the port panicked: this is a defect, please report it"))??;
        }
        self.engine.drain(&AtomicBool::new(false)).map(drop)
    }
}
