//! A fleet on a Kafka of its own: processes and a broker that can be killed one by one, and what they have published.
//!
//! What is right is what one undisturbed process publishes from the same `events.v1`: [`Fleet::undisturbed`].

use std::{
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use eventlog::{
    Cleanup, Commit, Log, Output, TopicSpec, embedded,
    kafka::{self, Kafka, local},
};
use processor_core::catalog::BUILT_IN;

use crate::{
    data::{Data, Published, assert_same_rows, assert_same_sequences, records, without_ticks},
    http::{interrupt, send},
    network::Network,
};

/// How long the fleet may take for anything, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
const EVENTS: &str = "events.v1";
/// Java of a broker that lives for a minute. Else half of the processor time of its start goes into compiling for the long
/// run, and into collectors of garbage.
const JAVA: &str = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC";
/// Lines of a process that are shown where a test fails.
const LAST: usize = 6;
/// Of the fleet's producers.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(6);

/// A real broker in a folder, which can be killed and started again.
pub(crate) struct Broker {
    folder: PathBuf,
    /// `127.0.0.1:port`, of the network in between if there is one.
    pub(crate) address: String,
    /// What breaks connections to it.
    pub(crate) network: Option<Network>,
}

impl Broker {
    fn new(folder: PathBuf) -> Broker {
        let address = Broker::start(&folder);
        Broker { folder, address, network: None }
    }

    /// Clients come to it through a network that can break, and are told of no other way.
    fn behind(folder: PathBuf, network: Network) -> Broker {
        let address = network.address.to_string();
        let told = format!("advertised.listeners=PLAINTEXT://{address},CONTROLLER://127.0.0.1:@CONTROLLER@\n");
        fs::write(folder.with_extension("properties"), told).unwrap();
        network.leads_to(Broker::start(&folder).parse().unwrap());
        Broker { folder, address, network: Some(network) }
    }

    /// Returns its own address when it answers.
    fn start(folder: &Path) -> String {
        let [out, err, more] = ["out", "err", "properties"].map(|end| folder.with_extension(end));
        let mut script = script();
        if more.exists() {
            script.env("KAFKA_PROPERTIES", more);
        }
        let status = script
            .arg("start")
            .arg(folder)
            .args(["--until-exit-of", &std::process::id().to_string()])
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .status();
        assert!(status.unwrap().success(), "{}", fs::read_to_string(&err).unwrap());
        fs::read_to_string(&out).unwrap().trim().to_owned()
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let pid = fs::read_to_string(self.folder.join("pid")).unwrap();
        assert!(send("-KILL", pid.trim()));
    }

    /// SIGTERM.
    pub(crate) fn stop(&self) {
        assert!(script().arg("stop").arg(&self.folder).status().unwrap().success());
    }

    /// Transactions that are still open after a long wait; none once all have ended.
    pub(crate) fn open_transactions(&self) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let open = self.transactions().unwrap();
            if open.is_empty() || begun.elapsed() > PATIENCE {
                return open;
            }
            sleep(Duration::from_millis(500));
        }
    }

    /// Transactions that are open, or committed while consumers do not see all of their records yet.
    fn transactions(&self) -> Result<Vec<String>, String> {
        let text = self.asks(&["TransactionsCommand", "list"])?;
        assert!(text.contains("TransactionState"), "{text}");
        Ok(text
            .lines()
            .filter(|line| line.contains("Ongoing") || line.contains("Prepare"))
            .map(str::to_owned)
            .collect())
    }

    /// Partitions that their group has not read to the end.
    fn unread(&self) -> Result<Vec<String>, String> {
        let text = self.asks(&["consumer.group.ConsumerGroupCommand", "--describe", "--all-groups"])?;
        // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
        let is_behind = |line: &&str| line.split_whitespace().nth(5).is_some_and(|lag| lag != "0" && lag != "-");
        Ok(text.lines().filter(is_behind).map(str::to_owned).collect())
    }

    /// What one of Kafka's own tools prints.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        self.asks(arguments).unwrap()
    }

    /// The same, or why there is no answer.
    fn asks(&self, arguments: &[&str]) -> Result<String, String> {
        let said = script().arg("tool").arg(&self.folder).args(arguments).output().unwrap();
        if !said.status.success() {
            return Err(format!("{arguments:?}: {said:?}"));
        }
        Ok(String::from_utf8(said.stdout).unwrap())
    }

    /// With the data that it had.
    pub(crate) fn start_again(&self) {
        let own = Broker::start(&self.folder);
        match &self.network {
            Some(network) => network.leads_to(own.parse().unwrap()),
            None => assert_eq!(own, self.address),
        }
    }
}

fn script() -> Command {
    let mut script = Command::new(local::script().unwrap());
    script.stdin(Stdio::null()).env("KAFKA_HEAP_OPTS", JAVA);
    script
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be down already.
        let _ = script().arg("stop").arg(&self.folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Processor,
    Sink,
    Door,
}

impl Role {
    fn command(self) -> &'static str {
        match self {
            Role::Processor => "processor",
            Role::Sink => "sink",
            Role::Door => "ingest",
        }
    }
}

/// Settings of a fleet that differ from test to test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// A member of a group that is silent for so long loses its partitions.
    pub(crate) session: Duration,
    /// Name of the machine; empty for one of each data directory.
    pub(crate) instance: &'static str,
    /// All metrics that are built in, and not one of each kind.
    pub(crate) whole_catalog: bool,
    /// Lines of `[settings]`.
    pub(crate) lines: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self { session: Duration::from_secs(2), instance: "", whole_catalog: false, lines: "" }
    }
}

/// A process of the fleet; killed when dropped.
struct Process {
    role: Role,
    child: Child,
    out: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Metrics of a fleet: one of each kind of measure, as every metric has a topic of its own to be read and compared.
const METRICS: [&str; 17] = [
    "events",
    "orders",
    "net_revenue",
    "avg_purchase_value_net",
    "customers",
    "customer_churn_rate",
    "customer_lifetime_value",
    "engagement_rate",
    "nps",
    "net_new_mrr",
    "net_revenue_retention",
    "lead_conversion_rate",
    "pipeline_value",
    "response_time",
    "response_time_p90",
    "account_value",
    "silence",
];

/// The built-in catalog, with the metrics that are kept.
pub(crate) fn built_in(keep: impl Fn(&str) -> bool) -> String {
    let (head, metrics) = BUILT_IN.split_once("\nmetrics:\n").unwrap();
    let name = |part: &str| part.strip_prefix("  - name: ").unwrap().lines().next().unwrap().to_owned();
    let parts: String = metrics.split_inclusive("\n\n").filter(|part| keep(&name(part))).collect();
    format!("{head}\nmetrics:\n{parts}")
}

fn catalog() -> String {
    let catalog = built_in(|name| METRICS.contains(&name));
    assert_eq!(catalog.matches("  - name: ").count(), METRICS.len(), "a metric of the fleet is not built in");
    catalog
}

/// A directory without a broker, with the metrics of a fleet and so many partitions.
pub(crate) fn alone(partitions: u32) -> Data {
    Settings::default().alone(partitions)
}

impl Settings {
    /// The lines of `[settings]`, in the file of settings of a data directory.
    fn of(&self, data: &Data) -> String {
        let catalog = if self.whole_catalog { BUILT_IN.to_owned() } else { catalog() };
        let catalog = data.file("catalog.yaml", catalog);
        format!("[settings]\ncatalog = {catalog:?}\n{}", self.lines)
    }

    /// A directory without a broker, with these metrics and so many partitions.
    pub(crate) fn alone(&self, partitions: u32) -> Data {
        let data = Data::new();
        let settings = self.of(&data);
        data.config(&format!("{settings}[log]\npartitions = {partitions}\n"))
    }
}

/// Processes on one data folder and one broker.
pub(crate) struct Fleet {
    pub(crate) data: Data,
    pub(crate) broker: Broker,
    pub(crate) log: Arc<Kafka>,
    settings: Settings,
    partitions: u32,
    started: u32,
    /// The file of settings.
    config: String,
    /// Where the process that was started last speaks.
    newest: PathBuf,
    processes: Vec<Process>,
}

impl Fleet {
    /// A broker with topics, and no process; `None` where there cannot be a broker.
    pub(crate) fn new(who: &str, partitions: u32) -> Option<Fleet> {
        Fleet::with(who, partitions, Settings::default(), Broker::new)
    }

    /// The same, with other settings.
    pub(crate) fn with_settings(who: &str, partitions: u32, settings: Settings) -> Option<Fleet> {
        Fleet::with(who, partitions, settings, Broker::new)
    }

    /// The same, with a network that can break between broker and processes.
    pub(crate) fn behind_a_network(who: &str, partitions: u32) -> Option<Fleet> {
        Fleet::with(who, partitions, Settings::default(), |folder| Broker::behind(folder, Network::new()))
    }

    fn with(who: &str, partitions: u32, settings: Settings, broker: impl FnOnce(PathBuf) -> Broker) -> Option<Fleet> {
        // Says whether Java and Maven are here.
        local::broker(who)?;
        let data = Data::new();
        let broker = broker(data.path().with_file_name("broker"));
        let checkpoints = data.path().with_file_name("checkpoints");
        let Settings { session, instance, .. } = settings;
        let config = format!(
            "{}[log]\npartitions = {partitions}\n[kafka]\nreplication = 1\nsession_timeout = \"{}s\"\ninstance = {instance:?}\n\
             transaction_timeout = \"{}s\"\n[ingest]\ntick = \"1s\"\n[checkpoints]\nstore = {checkpoints:?}\nevery = \"1s\"\n",
            settings.of(&data),
            session.as_secs(),
            TRANSACTION_TIMEOUT.as_secs()
        );
        let data = data.config(&config);
        let made = data.run([
            "topics",
            "create",
            "--brokers",
            broker.address.as_str(),
            "--partitions",
            partitions.to_string().as_str(),
        ]);
        made.done();
        let log = Kafka::connect(kafka::Config { brokers: vec![broker.address.clone()], ..kafka::Config::default() });
        Some(Fleet {
            data,
            broker,
            log: log.unwrap(),
            settings,
            partitions,
            started: 0,
            config,
            newest: PathBuf::new(),
            processes: Vec::new(),
        })
    }

    /// Between broker and processes.
    pub(crate) fn network(&self) -> &Network {
        self.broker.network.as_ref().expect("a fleet behind a network")
    }

    /// Where checkpoints are.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.data.path().with_file_name("checkpoints")
    }

    /// Starts one more process of a role.
    pub(crate) fn start(&mut self, role: Role) {
        self.start_with(role, None);
    }

    /// The same, to be aborted or stopped at a failpoint.
    pub(crate) fn start_with(&mut self, role: Role, abort_at: Option<&str>) {
        let command = self.data.command([role.command(), "--listen", "127.0.0.1:0"]);
        self.spawn(role, command, abort_at);
    }

    /// The same on a data directory of its own, as on another machine.
    pub(crate) fn start_elsewhere(&mut self, role: Role, data: &Data) {
        let command = data.command([role.command(), "--listen", "127.0.0.1:0"]);
        self.spawn(role, command, None);
    }

    /// A data directory with the settings of the fleet.
    pub(crate) fn elsewhere(&self) -> Data {
        Data::new().config(&self.config)
    }

    fn spawn(&mut self, role: Role, mut command: Command, abort_at: Option<&str>) {
        self.started += 1;
        let name = format!("{}-{}", role.command(), self.started);
        let [out, err] = ["out", "err"].map(|end| self.data.path().with_file_name(format!("{name}.{end}")));
        self.newest = err.clone();
        command.args(["--brokers", &self.broker.address]);
        if let Some(place) = abort_at {
            command.env("VITALS_ABORT_AT", place);
        }
        let said = OpenOptions::new().create(true).append(true).open(err).unwrap();
        let child = command.stdout(File::create(&out).unwrap()).stderr(said).spawn().unwrap();
        self.processes.push(Process { role, child, out });
    }

    /// How many processes of a role there are.
    pub(crate) fn count(&self, role: Role) -> usize {
        self.processes.iter().filter(|process| process.role == role).count()
    }

    fn place(&self, role: Role, nth: usize) -> usize {
        let mut places = (0..self.processes.len()).filter(|at| self.processes[*at].role == role);
        places.nth(nth).unwrap_or_else(|| panic!("there is no {role:?} {nth}"))
    }

    /// SIGKILL to the nth process of a role.
    pub(crate) fn kill(&mut self, role: Role, nth: usize) {
        let at = self.place(role, nth);
        drop(self.processes.remove(at));
    }

    /// Sends a signal to the nth process of a role.
    pub(crate) fn signal(&self, role: Role, nth: usize, signal: &str) {
        interrupt(&self.processes[self.place(role, nth)].child, signal);
    }

    /// Number of the nth process of a role.
    pub(crate) fn pid(&self, role: Role, nth: usize) -> u32 {
        self.processes[self.place(role, nth)].child.id()
    }

    /// Waits until the nth process of a role has stopped at its failpoint.
    pub(crate) fn until_stopped(&self, role: Role, nth: usize) {
        let (pid, begun) = (self.pid(role, nth).to_string(), Instant::now());
        let stopped = || {
            // A bare Linux has no `ps`, other systems have no /proc.
            if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
                return status.contains("State:\tT");
            }
            let said = Command::new("ps").args(["-o", "state=", "-p", &pid]).output().unwrap();
            said.stdout.trim_ascii_start().starts_with(b"T")
        };
        while !stopped() {
            assert!(begun.elapsed() < PATIENCE, "{role:?} {nth} does not come to its failpoint\n{}", self.said());
            sleep(Duration::from_millis(50));
        }
    }

    /// How the nth process of a role ended, if it has; then it is none of the fleet any more.
    pub(crate) fn ended(&mut self, role: Role, nth: usize) -> Option<ExitStatus> {
        let at = self.place(role, nth);
        let status = self.processes[at].child.try_wait().unwrap()?;
        self.processes.remove(at);
        Some(status)
    }

    /// Forgets the processes of a role that have ended by themselves; what was fenced has.
    pub(crate) fn reap(&mut self, role: Role) {
        for at in (0..self.count(role)).rev() {
            if let Some(status) = self.ended(role, at) {
                assert_eq!(status.code(), Some(1), "{role:?}: {status}\n{}", self.said());
            }
        }
    }

    /// SIGTERM to those that still run; they commit and flush.
    pub(crate) fn stop(&mut self, role: Role) {
        self.reap(role);
        let (stopping, staying): (Vec<_>, Vec<_>) = self.processes.drain(..).partition(|process| process.role == role);
        self.processes = staying;
        stopping.iter().for_each(|process| interrupt(&process.child, "-TERM"));
        for mut process in stopping {
            let status = process.child.wait().unwrap();
            assert!(status.success(), "{role:?}: {status}\n{}", self.said());
        }
    }

    /// Where the doors listen that have started.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        let address = |process: &Process| {
            let said = fs::read_to_string(&process.out).ok()?;
            said.lines().next()?.strip_prefix("listening on http://")?.parse().ok()
        };
        self.processes.iter().filter(|process| process.role == Role::Door).filter_map(address).collect()
    }

    /// Folders of processors that no process sits in.
    pub(crate) fn free_seats(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.data.path()).unwrap().map(|entry| entry.unwrap().path());
        let seats = entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("processor-"));
        seats.filter(|seat| File::open(seat.join("SEAT")).unwrap().try_lock().is_ok()).collect()
    }

    /// What each process has said so far.
    fn logs(&self) -> Vec<(PathBuf, String)> {
        let folder = self.data.path().parent().unwrap().to_owned();
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "err")).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
    }

    /// How it is: what each process has said last, what groups have not read, and which transactions are open.
    pub(crate) fn said(&self) -> String {
        let last = |(path, text): (PathBuf, String)| {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LAST);
            format!("{}, {} lines\n{}\n", path.display(), lines.len(), lines[from..].join("\n"))
        };
        let said: String = self.logs().into_iter().map(last).collect();
        format!("{said}unread: {:#?}\nopen: {:#?}", self.broker.unread(), self.broker.transactions())
    }

    /// What the process has said that was started last.
    pub(crate) fn said_by_newest(&self) -> String {
        fs::read_to_string(&self.newest).unwrap()
    }

    /// How often a text was said.
    pub(crate) fn times(&self, text: &str) -> usize {
        self.logs().iter().map(|(_, said)| said.matches(text).count()).sum()
    }

    /// How many records the events have, ticks included.
    pub(crate) fn end(&self) -> u64 {
        (0..self.partitions).map(|partition| self.log.watermarks(EVENTS, partition).unwrap().high).sum()
    }

    /// Ids of the events in the log.
    pub(crate) fn ids(&self) -> Vec<String> {
        let lines = self.data.run(["events", "--brokers", self.broker.address.as_str()]).done().out;
        let id =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        lines.lines().map(id).collect()
    }

    /// The same events, partition by partition, processed by one process that nothing disturbs.
    pub(crate) fn undisturbed(&self) -> Data {
        assert_eq!(self.broker.open_transactions(), Vec::<String>::new());
        let data = self.settings.alone(self.partitions);
        {
            let log = embedded::Embedded::open(data.path().join("log"), embedded::Config::default()).unwrap();
            let spec = TopicSpec { name: EVENTS.to_owned(), partitions: self.partitions, cleanup: Cleanup::Keep };
            log.create_topic(&spec).unwrap();
            let (topic, mut producer): (Arc<str>, _) = (EVENTS.into(), log.producer("copy").unwrap());
            for partition in 0..self.partitions {
                let output = |record| Output { topic: topic.clone(), partition, record };
                let outputs: Vec<Output> =
                    records(self.log.as_ref(), EVENTS, partition).into_iter().map(output).collect();
                for part in outputs.chunks(50_000) {
                    producer.commit(Commit { outputs: part.to_vec(), offsets: Vec::new() }).unwrap();
                }
            }
        }
        let events = self.ids().len();
        data.run(["rebuild"]).done().says(&[&format!("{events} events applied again")]);
        data
    }

    /// Forgets all but the events; nobody may be at work.
    pub(crate) fn rebuild(&self) {
        self.data.run(["rebuild", "--brokers", self.broker.address.as_str()]).done();
    }

    /// Waits until the fleet has published what the undisturbed process has, and stored it; fails at what differs, or when
    /// nothing more comes. No door may be open.
    pub(crate) fn is(&mut self, undisturbed: &Data, context: &str) {
        assert_eq!(self.count(Role::Door), 0);
        // Not ticks: whoever takes over tells the time once more within the same second.
        let (expected, rows, points) = (undisturbed.snapshots(), undisturbed.rows(), undisturbed.stored());
        let wanted: usize = expected.values().map(Vec::len).sum();
        let (mut moved, mut came, mut published) = (Instant::now(), 0, Published::default());
        loop {
            let begun = Instant::now();
            published.go_on(self.log.as_ref());
            let (before, stored) = (came, self.data.stored());
            came = published.snapshots + stored.unwrap_or(0);
            if came != before {
                moved = begun;
            }
            let over = moved.elapsed() > PATIENCE || published.snapshots > wanted;
            // Whether all is there is seen by how much there is; whether it is right, only by comparing.
            if over || published.snapshots == wanted && stored == points {
                let (found, stored) = (without_ticks(published.sequences.clone()), self.data.rows());
                if over {
                    eprintln!("{}", self.said());
                }
                if over || found == expected && stored == rows {
                    assert_same_sequences(&found, &expected, context);
                    assert_same_rows(&stored, &rows, context);
                    return;
                }
            }
            sleep(begun.elapsed().max(Duration::from_millis(500)));
            for role in [Role::Processor, Role::Sink] {
                let wanted = self.count(role);
                self.reap(role);
                (self.count(role)..wanted).for_each(|_| self.start(role));
            }
        }
    }
}
