//! A network between a Kafka broker and its clients that can break: a proxy that knows where a transaction ends.
//!
//! Frames go through whole and in order, each way of a connection on a thread of its own. Of the protocol it knows what
//! requests and answers begin with: length, what is asked, and a number that the answer repeats.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

/// `EndTxn` of <https://kafka.apache.org/protocol>.
const END_OF_TRANSACTION: i16 = 26;

/// What happens to the next request that ends a transaction, or to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The request does not arrive for so long.
    RequestLate(Duration),
    /// The answer never arrives: the connection breaks instead.
    AnswerLost,
    /// The answer arrives so much later.
    AnswerLate(Duration),
}

/// The proxy; it ends with the process.
pub(crate) struct Network {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    broker: Mutex<Option<SocketAddr>>,
    trouble: Mutex<Option<Trouble>>,
    /// How many troubles have begun.
    met: AtomicUsize,
    /// Nothing goes through, and nobody is told.
    silent: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Network {
    pub(crate) fn new() -> Network {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let accepting = shared.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|client| accepting.connect(client)));
        Network { address, shared }
    }

    /// Where it leads from now on.
    pub(crate) fn leads_to(&self, broker: SocketAddr) {
        *self.shared.broker.lock().unwrap() = Some(broker);
    }

    /// Waits until a transaction ends, and meets this; `then` is done when that may happen.
    pub(crate) fn meets(&self, trouble: Trouble, patience: Duration, then: impl FnOnce()) {
        let before = self.shared.met.load(Ordering::SeqCst);
        *self.shared.trouble.lock().unwrap() = Some(trouble);
        then();
        let begun = Instant::now();
        while self.shared.met.load(Ordering::SeqCst) == before {
            assert!(begun.elapsed() < patience, "no transaction ends");
            sleep(Duration::from_millis(1));
        }
    }

    /// Breaks every connection.
    pub(crate) fn reset(&self) {
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            // It may be over already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Half-open: what is sent for so long arrives nowhere; then connections are found broken.
    pub(crate) fn silence(&self, span: Duration) {
        self.shared.silent.store(true, Ordering::SeqCst);
        sleep(span);
        self.reset();
        self.shared.silent.store(false, Ordering::SeqCst);
    }
}

/// Of one connection: numbers of the requests that end a transaction and are not answered yet.
type Ends = Arc<Mutex<HashSet<[u8; 4]>>>;

impl Shared {
    /// Where the broker is away, the client finds its connection broken.
    fn connect(self: &Arc<Shared>, client: TcpStream) {
        let Some(broker) = *self.broker.lock().unwrap() else { return };
        let Ok(broker) = TcpStream::connect(broker) else { return };
        let both = || Some([client.try_clone().ok()?, broker.try_clone().ok()?]);
        let Some(again) = both() else { return };
        for connection in [&client, &broker] {
            connection.set_nodelay(true).unwrap();
        }
        self.connections.lock().unwrap().extend(again);
        let Some([answered, answering]) = both() else { return };
        let ends = Ends::default();
        let (shared, of_requests) = (self.clone(), ends.clone());
        thread::spawn(move || shared.forward(client, broker, |shared, frame| shared.request(frame, &of_requests)));
        let shared = self.clone();
        thread::spawn(move || shared.forward(answering, answered, |shared, frame| shared.answer(frame, &ends)));
    }

    /// Frame by frame, until one side breaks off, or a frame is not to arrive.
    fn forward(&self, mut from: TcpStream, mut to: TcpStream, arrives: impl Fn(&Shared, &[u8]) -> bool) {
        while let Some(frame) = frame(&mut from) {
            if self.silent.load(Ordering::SeqCst) {
                continue;
            }
            if !arrives(self, &frame) || to.write_all(&frame).is_err() {
                break;
            }
        }
        for side in [from, to] {
            // It may be over already.
            let _ = side.shutdown(Shutdown::Both);
        }
    }

    /// The trouble, if it is one of those.
    fn trouble(&self, is: impl Fn(Trouble) -> bool) -> Option<Trouble> {
        let trouble = self.trouble.lock().unwrap().take_if(|trouble| is(*trouble))?;
        self.met.fetch_add(1, Ordering::SeqCst);
        Some(trouble)
    }

    fn request(&self, frame: &[u8], ends: &Ends) -> bool {
        if frame[4..6] == END_OF_TRANSACTION.to_be_bytes() {
            ends.lock().unwrap().insert(number(&frame[8..]));
            if let Some(Trouble::RequestLate(span)) = self.trouble(|trouble| matches!(trouble, Trouble::RequestLate(_)))
            {
                sleep(span);
            }
        }
        true
    }

    fn answer(&self, frame: &[u8], ends: &Ends) -> bool {
        if !ends.lock().unwrap().remove(&number(&frame[4..])) {
            return true;
        }
        match self.trouble(|trouble| !matches!(trouble, Trouble::RequestLate(_))) {
            Some(Trouble::AnswerLost) => return false,
            Some(Trouble::AnswerLate(span)) => sleep(span),
            _ => {}
        }
        true
    }
}

/// Length and content; none at the end of a connection.
fn frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).ok()?;
    let length = usize::try_from(i32::from_be_bytes(number(&frame))).ok()?;
    frame.resize(4 + length, 0);
    from.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

fn number(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}
