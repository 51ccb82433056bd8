//! One job on a clock that is moved, and its script that writes a line whenever it is let go on.

use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair, MountPoint, Volume};
use fargate_tests::{
    CheckedHost, FaultyRelay, MovedClock, TestJob, TestProcess, ecs_register, mark, pass, runner,
    until, wait_at,
};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::count;

/// The time-out of the job.
pub const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// `timeouts.lifetime_margin`.
pub const MARGIN: Duration = Duration::from_secs(15 * 60);
/// Time from one line of the script to the next one. A moved clock is right to a second, so twelve of these are surely an hour.
pub const STEP: Duration = Duration::from_secs(5 * 60 + 1);
/// After this much time with the same keys, both sides exchange them.
const REKEY: Duration = Duration::from_secs(3600);
/// Bytes of a line. The lines of a day are more than the 4 MiB that an agent keeps for a driver which
/// acknowledges nothing.
const LINE: usize = 20_000;
/// Where the task sees the folder with its clock.
const CLOCK_FOLDER: &str = "/clock";

/// A prepared job whose `run`s go through a relay, and the clock of its driver and its agent.
pub struct MovedDay {
    pub site: CheckedHost,
    pub job: Rc<TestJob>,
    pub relay: FaultyRelay,
    pub clock: MovedClock,
    gate: String,
    began: Instant,
    now: Duration,
    rekey_at: Duration,
}

/// The beginning of the names of this host's gates. Tests of one process must not open each other's.
pub fn gate_of_host(site: &CheckedHost) -> String {
    let folder = site.folder().file_name().expect("a folder of its own").to_string_lossy();
    mark(&format!("day-{folder}"))
}

/// The name that the process has at which the script waits before line `n`.
pub fn gate_of(gate: &str, n: usize) -> String {
    format!("{gate}{n}.")
}

/// What the script writes as line `n`.
fn line(n: usize) -> String {
    format!("{n:03} {}\n", "x".repeat(LINE))
}

/// A host whose tasks can be given the clock. Gives nothing where `faketime` is missing.
pub async fn clocked_host(
    clock_of: impl FnOnce(&CheckedHost) -> Option<MovedClock>,
) -> Option<(CheckedHost, MovedClock)> {
    // The one for images is static, and loads no library.
    let agent = runner().with_file_name("fargate-agent");
    let site = CheckedHost::open_with(|options| options.agent = agent).await;
    let Some(clock) = clock_of(&site) else {
        site.close().await;
        return None;
    };
    let mount = MountPoint::builder().source_volume("clock").container_path(CLOCK_FOLDER).build();
    let mut container = ContainerDefinition::builder().mount_points(mount);
    for (name, value) in clock.variables(&Path::new(CLOCK_FOLDER).join("offset")) {
        let variable = KeyValuePair::builder().name(name).value(value).build();
        container = container.environment(variable);
    }
    let volumes = vec![Volume::builder().name("clock").build()];
    let family = ecs_register(&site.ecs(), "clocked", container, volumes).await;
    site.set("defaults.task_definition", family);
    Some((site, clock))
}

/// Gives the clock to the one task of the host, which has started.
///
/// # Panics
///
/// If the agent has not loaded the clock's library: it would live the day in real time.
pub fn show_to_the_agent(site: &CheckedHost, clock: &mut MovedClock) {
    let tasks = std::fs::read_dir(site.cloud().folder().join("volumes")).expect("a volume");
    let mut folders = tasks.flatten().map(|task| task.path().join("clock"));
    let folder = folders.find(|folder| folder.is_dir()).expect("the task has its volume");
    clock.show_in(folder.join("offset"));
    let library = clock.library().to_string_lossy().into_owned();
    let has_clock = |process: &Path| {
        let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
        let maps = std::fs::read_to_string(process.join("maps")).unwrap_or_default();
        name.starts_with("fargate-agent") && maps.contains(&library)
    };
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let seen = processes.filter(|entry| has_clock(&entry.path())).count();
    assert!(seen > 0, "no agent has loaded {library}; `make build` builds one that can");
}

impl MovedDay {
    /// Prepares the job. Gives nothing where `faketime` is missing.
    pub async fn begin(clock_of: impl FnOnce(&CheckedHost) -> Option<MovedClock>) -> Option<Self> {
        let (site, clock) = clocked_host(clock_of).await?;
        let mut day = Self::with(site, clock).await;
        show_to_the_agent(&day.site, &mut day.clock);
        Some(day)
    }

    /// Prepares the job in the tasks that the host is configured for.
    pub async fn with(site: CheckedHost, clock: MovedClock) -> Self {
        let job = site.job_with(|job| {
            let text = std::fs::read_to_string(job.response()).expect("a response");
            let mut response: Value = serde_json::from_str(&text).expect("JSON");
            response["runner_info"]["timeout"] = TIMEOUT.as_secs().into();
            std::fs::write(job.response(), response.to_string()).expect("a writable folder");
        });
        job.heard(clock.stage(&job, &[OsStr::new("prepare")])).await.passed();
        let began = Instant::now();
        let task = job.state().expect("a state file")["address"].clone();
        let task = task.as_str().expect("an address").parse().expect("ours");
        let relay = FaultyRelay::to(task).await;
        let address = relay.address.to_string();
        job.change_state(|state| state["address"] = address.into());
        let gate = gate_of_host(&site);
        let (now, rekey_at) = (Duration::ZERO, REKEY);
        Self { site, job, relay, clock, gate, began, now, rekey_at }
    }

    /// Moves driver, agent and cloud to so long after the end of `prepare`.
    pub fn move_to(&mut self, now: Duration) {
        let offset = now.saturating_sub(self.began.elapsed()).as_secs();
        self.clock.set(&format!("+{offset}"));
        self.site.cloud().advance(now.saturating_sub(self.now));
        self.now = now;
    }

    /// Starts a script of so many lines, which then exits with 7. Its connection begins at this time.
    pub async fn start(&self, lines: usize) -> TestProcess {
        let wait = wait_at(&format!("{}$n.", self.gate));
        let script = format!(
            "echo start >> /builds/starts; line=$(head -c {LINE} /dev/zero | tr '\\0' x)\n\
             n=1; while [ $n -le {lines} ]; do {wait}; printf '%03d %s\\n' $n $line; n=$((n+1)); done\n\
             exit 7\n"
        );
        let (site, before) = (&self.site, count(&self.site, "script.started"));
        let running = self.clock.run(&self.job, &script);
        until("the script runs", || count(site, "script.started") > before).await;
        running
    }

    /// What such a script writes.
    pub fn expected(lines: usize) -> String {
        (1..=lines).map(line).collect()
    }

    /// Lets the script write line `n`, and waits until it has arrived here.
    pub async fn write_line(&self, running: &TestProcess, n: usize) {
        pass(&gate_of(&self.gate, n)).await;
        let bytes = n * line(n).len();
        until(&format!("line {n} arrives"), || running.received() >= bytes).await;
    }

    /// A step on, line `n`, and new keys if the old ones are an hour old.
    pub async fn step(&mut self, running: &TestProcess, n: usize, step: Duration) {
        self.move_to(self.now + step);
        let before = count(&self.site, "session.rekeyed");
        self.write_line(running, n).await;
        if self.now >= self.rekey_at {
            let site = &self.site;
            until("new keys", || count(site, "session.rekeyed") > before).await;
            self.rekey_at = self.now + REKEY;
        }
    }

    /// From now on, the keys are those of a new connection.
    pub fn has_new_connection(&mut self) {
        self.rekey_at = self.now + REKEY;
    }

    /// Connects to the task, so that its agent looks at the clock.
    pub async fn wake_the_agent(&self) {
        drop(TcpStream::connect(self.relay.address).await.expect("the relay listens"));
    }

    /// What `tasks reap` says at this time.
    pub async fn reap(&self) -> Value {
        let config = self.site.config();
        let words = [OsStr::new("-c"), config.as_os_str(), OsStr::new("tasks"), OsStr::new("reap")];
        let ended = self.job.heard(self.clock.start(&self.job, &words)).await.with_code(0);
        serde_json::from_slice(&ended.stdout).expect("a document")
    }
}
