//! A stage as gitlab-runner sees it: a process with two pipes. It is over when the process has ended and
//! every process with an end of its pipes is gone.

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use fargate_playground::invariants::contains;

use crate::wait::until;

/// The flag of a process that ends, in field 9 of `/proc/PID/stat`: Linux, include/linux/sched.h.
const PF_EXITING: u64 = 4;
/// KILL among the pending signals, field 31 of the same.
const PENDING_KILL: u64 = 1 << 8;
/// Longest life of one stage in a test.
const DEADLINE: Duration = Duration::from_secs(60);

/// When the pipes of a process are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipeReading {
    /// All the time.
    Always,
    /// Not before [`TestProcess::read_on`].
    OnDemand,
}

/// True if this process ignores the signal `number`. Then every process that it starts ignores it, too.
///
/// # Panics
///
/// On a system without `/proc`.
#[must_use]
pub fn is_ignored(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("a file of Linux");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.expect("a mask of signals") >> (number - 1) & 1 == 1
}

/// Starts `command` in a process group of its own. Gives its arguments and the child.
fn spawn(mut command: Command) -> (Vec<OsString>, Child) {
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let arguments = command.as_std().get_args().map(ToOwned::to_owned).collect();
    (arguments, command.spawn().expect("a program that can be started"))
}

/// A process that may still run. It is killed when this is dropped.
pub struct TestProcess {
    child: Child,
    pid: Pid,
    stdout: CapturedPipe,
    stderr: CapturedPipe,
    reads: watch::Sender<bool>,
    started: Instant,
    arguments: Vec<OsString>,
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct TestProcessResult {
    /// What it was called with.
    pub arguments: Vec<OsString>,
    /// Its exit code; 128 + n if a signal ended it.
    pub code: i32,
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// All of stderr.
    pub stderr: Vec<u8>,
    /// From its start to the end of its last pipe.
    pub took: Duration,
}

struct CapturedPipe {
    bytes: watch::Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
}

impl CapturedPipe {
    fn read(
        mut source: impl AsyncRead + Unpin + Send + 'static,
        mut reads: watch::Receiver<bool>,
    ) -> Self {
        let (sender, bytes) = watch::channel(Vec::new());
        let reader = tokio::spawn(async move {
            if reads.wait_for(|reads| *reads).await.is_err() {
                return;
            }
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = source.read(&mut buffer).await {
                sender.send_modify(|bytes| bytes.extend_from_slice(&buffer[..n]));
            }
        });
        Self { bytes, reader }
    }

    /// Waits for `text`; false if its end or the deadline comes before that.
    async fn holds(&mut self, text: &str) -> bool {
        let seen = self.bytes.wait_for(|bytes| contains(bytes, text.as_bytes()));
        matches!(timeout(DEADLINE, seen).await, Ok(Ok(_)))
    }
}

impl TestProcess {
    /// Starts it, with a pipe for each of its streams.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(mut command: Command, reading: PipeReading) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (arguments, mut child) = spawn(command);
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Self::of(arguments, child, stdout, stderr, reading)
    }

    /// With one pipe for both streams; all of it is told as stdout.
    pub(crate) fn start_joined(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
        let (arguments, child) = spawn(command);
        let both = Receiver::from_owned_fd(OwnedFd::from(reader)).expect("a pipe");
        Self::of(arguments, child, both, tokio::io::empty(), PipeReading::Always)
    }

    fn of(
        arguments: Vec<OsString>,
        child: Child,
        stdout: impl AsyncRead + Unpin + Send + 'static,
        stderr: impl AsyncRead + Unpin + Send + 'static,
        reading: PipeReading,
    ) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).expect("not reaped yet");
        let (reads, may_read) = watch::channel(reading == PipeReading::Always);
        Self {
            stdout: CapturedPipe::read(stdout, may_read.clone()),
            stderr: CapturedPipe::read(stderr, may_read),
            child,
            pid: Pid::from_raw(pid),
            reads,
            started: Instant::now(),
            arguments,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal to its process group, as gitlab-runner does.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::killpg(self.pid, signal).expect("a process that still runs");
    }

    /// From now on its pipes are read.
    pub fn read_on(&self) {
        self.reads.send_replace(true);
    }

    /// What it wrote to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        self.stdout.bytes.borrow().clone()
    }

    /// How many bytes it wrote to stdout so far.
    #[must_use]
    pub fn received(&self) -> usize {
        self.stdout.bytes.borrow().len()
    }

    /// Returns when its stdout contains `text`.
    ///
    /// # Panics
    ///
    /// If it ends, or a minute passes, before that.
    pub async fn wrote(&mut self, text: &str) {
        let seen = self.stdout.holds(text).await;
        self.expect(seen, text);
    }

    /// Returns when its stderr contains `text`.
    ///
    /// # Panics
    ///
    /// As [`TestProcess::wrote`].
    pub async fn told(&mut self, text: &str) {
        let seen = self.stderr.holds(text).await;
        self.expect(seen, text);
    }

    fn expect(&self, seen: bool, text: &str) {
        let stdout = String::from_utf8_lossy(&self.stdout.bytes.borrow()).into_owned();
        let stderr = String::from_utf8_lossy(&self.stderr.bytes.borrow()).into_owned();
        assert!(seen, "{:?}: no {text:?} in {stdout:?}; {stderr:?}", self.arguments);
    }

    /// True if its process has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Waits for its end and the end of its pipes.
    ///
    /// # Panics
    ///
    /// After a minute.
    pub async fn ended(mut self) -> TestProcessResult {
        self.read_on();
        let waited = timeout(DEADLINE, async {
            let status = self.child.wait().await.expect("a child of ours");
            for pipe in [&mut self.stdout, &mut self.stderr] {
                (&mut pipe.reader).await.expect("reading does not panic");
            }
            status
        });
        let Ok(status) = waited.await else {
            panic!(
                "{:?} still runs or holds its pipes after {DEADLINE:?}; stdout {:?}, stderr {:?}",
                self.arguments,
                String::from_utf8_lossy(&self.stdout.bytes.borrow()),
                String::from_utf8_lossy(&self.stderr.bytes.borrow())
            );
        };
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        TestProcessResult {
            arguments: self.arguments,
            code: code.expect("a code or a signal"),
            stdout: self.stdout.bytes.borrow().clone(),
            stderr: self.stderr.bytes.borrow().clone(),
            took: self.started.elapsed(),
        }
    }
}

impl TestProcessResult {
    /// Stdout as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stderr as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Both streams, stdout first.
    #[must_use]
    pub fn all(&self) -> String {
        self.out() + &self.err()
    }

    /// Returns it if its exit code is `code`.
    ///
    /// # Panics
    ///
    /// With everything that it wrote, otherwise.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        let (out, err) = (self.out(), self.err());
        assert_eq!(self.code, code, "stdout {out:?}, stderr {err:?}, took {:?}", self.took);
        self
    }

    /// Asserts that it ended well.
    ///
    /// # Panics
    ///
    /// With everything that it wrote, otherwise.
    #[track_caller]
    pub fn passed(self) {
        self.with_code(0);
    }

    /// The one line of either stream that says what went wrong, without colours.
    ///
    /// # Panics
    ///
    /// Unless there is exactly one, or if a panic of the program shows.
    #[track_caller]
    #[must_use]
    pub fn error_line(&self) -> String {
        let all = self.all().replace("\x1b[1;31m", "").replace("\x1b[0m", "");
        let lines: Vec<_> = all.lines().filter(|line| is_error(line)).collect();
        let [line] = lines[..] else { panic!("{} error lines in {all:?}", lines.len()) };
        assert!(!all.contains("panicked") && !all.contains("a bug in fargate-runner"), "{all}");
        line.to_owned()
    }
}

/// True if a line, without colours, says what went wrong.
#[must_use]
pub fn is_error(line: &str) -> bool {
    line.strip_prefix("fargate-runner: ").unwrap_or(line).starts_with("error: ")
}

/// True if the process may still run: it exists, is no zombie, does not end, and was not sent KILL. After KILL
/// it runs no more, although a busy machine may take long to remove it.
#[must_use]
pub fn alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Its name may hold blanks; the fields of proc_pid_stat(5) from `state` on come after it.
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let number = |at: usize| fields.get(at).and_then(|n| n.parse().ok()).unwrap_or(0_u64);
    let [flags, pending] = [number(6), number(28)];
    !matches!(fields.first(), None | Some(&("Z" | "X")))
        && flags & PF_EXITING == 0
        && pending & PENDING_KILL == 0
}

/// The same check as a condition of `sh` in a task, for the process whose id `pid` expands to.
#[must_use]
pub fn alive_in_task(pid: &str) -> String {
    format!(
        "(set -- $(sed 's/.*) //' /proc/{pid}/stat 2>/dev/null); case ${{1:-none}} in \
         none|Z|X) false;; \
         *) test $(($7 & {PF_EXITING} | ${{29}} & {PENDING_KILL})) = 0;; esac)"
    )
}

/// Resident memory of a process in KiB, its largest so far.
///
/// # Panics
///
/// If there is no such process.
#[must_use]
pub fn memory_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a live process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a field of Linux");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB")
}

/// A name for a process that no other test on this machine uses.
#[must_use]
pub fn mark(name: &str) -> String {
    format!("{name}-of-{}.", std::process::id())
}

/// The process that is [`alive`] and whose command line begins with `mark`.
#[must_use]
pub fn process(mark: &str) -> Option<Pid> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let id = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
        (line.starts_with(mark.as_bytes()) && alive(id)).then_some(id)
    })
}

/// Words of a script that wait until the test lets it [`pass`].
#[must_use]
pub fn wait_at(gate: &str) -> String {
    format!("(exec -a {gate} sleep 1000)")
}

/// Lets the script go on that waits at `gate`.
///
/// # Panics
///
/// If it does not wait there in time.
pub async fn pass(gate: &str) {
    until("the script waits", || process(gate).is_some()).await;
    let sleeper = process(gate).expect("just seen");
    // A shell reports nothing about a process that ended by this signal.
    nix::sys::signal::kill(sleeper, Signal::SIGPIPE).expect("a process of ours");
    until("the script goes on", || process(gate).is_none()).await;
}
