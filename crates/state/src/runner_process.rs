//! The process that calls the stages of a job. It is noted when the record is begun, so that a
//! reaper can tell later that no stage will come any more, although nobody cleaned up.
//!
//! It is certain, or it says nothing. A process is known by its id and its start time, so an id
//! that was reused deceives nobody. A process that cannot be looked up counts as alive.
//!
//! The caller is not always the parent: a shell around a stage ends with the stage. It is the
//! nearest ancestor that existed before the job's response was written, because it wrote the
//! response.

use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Ticks per second in the times of `/proc`. Source: proc(5); the kernel shows 100 to all programs.
const TICKS_PER_SECOND: u64 = 100;
/// Most ancestors that are checked.
const MAX_ANCESTORS: usize = 32;
/// How much older than the response its writer must be. A shell that starts right after the
/// response can never look that old, whatever the clocks and their rounding do.
const OLDER_TICKS: u64 = TICKS_PER_SECOND;

/// The process that calls the stages of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerProcess {
    /// The boot of the host. After another boot, no process of this one exists.
    boot: String,
    /// The namespace in which the process ids are valid.
    pid_namespace: String,
    /// While this process lives, a stage may come. `None` if it is not known.
    process: Option<ProcessIdentity>,
    /// The processes between it and the stage. One of them may be the caller: a runner that started
    /// right before its first job looks like a shell around the stage.
    #[serde(default)]
    between: Vec<ProcessIdentity>,
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProcessIdentity {
    id: i32,
    /// Start time, in ticks since the host's boot.
    started_ticks: u64,
}

/// Whether a runner process still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerLiveness {
    /// It exists, or nobody can know.
    Possible,
    /// The process has ended.
    Ended,
    /// The host has restarted.
    Rebooted,
}

impl RunnerProcess {
    /// The ancestor of this process that wrote the job's response, at the time `written`.
    #[must_use]
    pub fn of_stage(written: SystemTime) -> Option<Self> {
        let since = SystemTime::now().duration_since(written).unwrap_or_default();
        let latest = ticks_up()?.saturating_sub(ticks(since)).saturating_sub(OLDER_TICKS);
        let mut next = nix::unistd::getppid().as_raw();
        let mut between = Vec::new();
        for _ in 0..MAX_ANCESTORS {
            // Process 1 of a host or container adopts all orphans, so it is no caller.
            let Some(stat) = ProcessStat::of(next).filter(|_| next > 1) else { break };
            let process = ProcessIdentity { id: next, started_ticks: stat.started_ticks };
            if stat.started_ticks <= latest {
                return Self::with(Some(process), between);
            }
            between.push(process);
            next = stat.parent;
        }
        Self::with(None, between)
    }

    /// This process itself, if it does all stages itself.
    #[must_use]
    pub fn this_process() -> Option<Self> {
        let id = nix::unistd::getpid().as_raw();
        let started_ticks = ProcessStat::of(id)?.started_ticks;
        Self::with(Some(ProcessIdentity { id, started_ticks }), Vec::new())
    }

    /// The process in at most 80 letters, digits and hyphens, for a label that other programs keep. `None` if
    /// it is not known.
    #[must_use]
    pub fn to_label(&self) -> Option<String> {
        let ProcessIdentity { id, started_ticks } = self.process?;
        let boot = self.boot.replace('-', "");
        let namespace: String = self.pid_namespace.chars().filter(char::is_ascii_digit).collect();
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_plain(&boot) && boot.len() <= 36)
            .then(|| format!("{boot}-{namespace}-{id}-{started_ticks}"))
    }

    /// Reads what [`to_label`](Self::to_label) wrote.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        let parts: Vec<&str> = label.split('-').collect();
        let [boot, namespace, id, started_ticks] = parts.as_slice() else { return None };
        if boot.len() != 32 || !boot.is_ascii() {
            return None;
        }
        let boot = [&boot[..8], &boot[8..12], &boot[12..16], &boot[16..20], &boot[20..]].join("-");
        let pid_namespace = format!("pid:[{}]", namespace.parse::<u64>().ok()?);
        let id = id.parse().ok().filter(|id| *id > 0)?;
        let process = Some(ProcessIdentity { id, started_ticks: started_ticks.parse().ok()? });
        Some(Self { boot, pid_namespace, process, between: Vec::new() })
    }

    fn with(process: Option<ProcessIdentity>, between: Vec<ProcessIdentity>) -> Option<Self> {
        Some(Self { boot: boot()?, pid_namespace: pid_namespace()?, process, between })
    }

    /// Checks whether it still exists.
    #[must_use]
    pub fn presence(&self) -> RunnerLiveness {
        if boot().is_some_and(|boot| boot != self.boot) {
            return RunnerLiveness::Rebooted;
        }
        let comparable = pid_namespace().is_some_and(|here| here == self.pid_namespace);
        let gone = comparable
            && self.process.is_some_and(ProcessIdentity::is_gone)
            && self.between.iter().all(|process| process.is_gone());
        if gone { RunnerLiveness::Ended } else { RunnerLiveness::Possible }
    }
}

impl ProcessIdentity {
    fn is_gone(self) -> bool {
        if kill(Pid::from_raw(self.id), None) == Err(Errno::ESRCH) {
            return true;
        }
        // If `/proc` hides processes of other users, it says nothing.
        ProcessStat::of(self.id)
            .is_some_and(|stat| stat.started_ticks != self.started_ticks || stat.is_over)
    }
}

/// The content of `/proc/ID/stat`.
struct ProcessStat {
    parent: i32,
    started_ticks: u64,
    /// A zombie: it has ended, and its parent has not reaped it.
    is_over: bool,
}

impl ProcessStat {
    fn of(id: i32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{id}/stat")).ok()?)
    }

    /// Source: `proc_pid_stat(5)`. The name may hold any character, and ends with the last
    /// parenthesis. After it come fields 3 (state), 4 (parent) and 22 (start).
    fn parse(line: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(line);
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            started_ticks: fields.get(19)?.parse().ok()?,
            is_over: matches!(*fields.first()?, "Z" | "X"),
        })
    }
}

fn ticks(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(TICKS_PER_SECOND);
    whole.saturating_add(u64::from(duration.subsec_millis()) * TICKS_PER_SECOND / 1000)
}

/// Ticks since the host's boot.
fn ticks_up() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(ticks)
}

fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

fn pid_namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn sleeper() -> (Child, RunnerProcess) {
        let child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let started_ticks = ProcessStat::of(id).unwrap().started_ticks;
        (
            child,
            RunnerProcess::with(Some(ProcessIdentity { id, started_ticks }), Vec::new()).unwrap(),
        )
    }

    #[test]
    fn a_process_that_ended_is_gone_also_before_anybody_asked_how() {
        let (mut child, manager) = sleeper();
        assert_eq!(manager.presence(), RunnerLiveness::Possible);
        child.kill().unwrap();
        // Waits for its end without reaping it, so that it stays a zombie.
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        let id = nix::sys::wait::Id::Pid(Pid::from_raw(i32::try_from(child.id()).unwrap()));
        nix::sys::wait::waitid(id, flags).unwrap();
        assert_eq!(manager.presence(), RunnerLiveness::Ended);
        child.wait().unwrap();
        assert_eq!(manager.presence(), RunnerLiveness::Ended);
    }

    #[test]
    fn a_label_names_the_same_process_and_nothing_else_is_read_as_one() {
        let this = RunnerProcess::this_process().unwrap();
        let label = this.to_label().unwrap();
        assert!(label.len() <= 80 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        let read = RunnerProcess::from_label(&label).unwrap();
        assert_eq!(read, this);
        assert_eq!(read.presence(), RunnerLiveness::Possible);
        for odd in ["", "a-b-c-d", &label[1..], &format!("{label}-1"), &label.replace('-', "_")] {
            assert_eq!(RunnerProcess::from_label(odd), None, "{odd}");
        }
    }

    #[test]
    fn while_one_between_it_and_the_stage_lives_it_is_not_gone() {
        let (mut child, manager) = sleeper();
        let (mut younger, between) = sleeper();
        child.kill().unwrap();
        child.wait().unwrap();
        let manager = RunnerProcess { between: between.process.into_iter().collect(), ..manager };
        assert_eq!(manager.presence(), RunnerLiveness::Possible);
        younger.kill().unwrap();
        younger.wait().unwrap();
        assert_eq!(manager.presence(), RunnerLiveness::Ended);
    }

    #[test]
    fn an_id_that_was_given_away_again_deceives_nobody() {
        let (mut child, mut manager) = sleeper();
        manager.process.as_mut().unwrap().started_ticks -= 1;
        assert_eq!(manager.presence(), RunnerLiveness::Ended);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn another_boot_ends_it_and_another_namespace_says_nothing() {
        let (mut child, manager) = sleeper();
        child.kill().unwrap();
        child.wait().unwrap();
        let elsewhere = RunnerProcess { pid_namespace: "pid:[1]".to_owned(), ..manager.clone() };
        assert_eq!(elsewhere.presence(), RunnerLiveness::Possible);
        let before = RunnerProcess { boot: "another".to_owned(), ..elsewhere };
        assert_eq!(before.presence(), RunnerLiveness::Rebooted);
        let nobody = RunnerProcess { process: None, ..manager };
        assert_eq!(nobody.presence(), RunnerLiveness::Possible);
    }

    #[test]
    fn the_caller_is_the_nearest_above_that_was_there_well_before_the_response() {
        let started =
            |process: &ProcessIdentity| ProcessStat::of(process.id).unwrap().started_ticks;
        let now = RunnerProcess::of_stage(SystemTime::now()).unwrap();
        let process = now.process.expect("whoever started the tests is older");
        assert_eq!(process.started_ticks, started(&process));
        assert!(process.started_ticks + OLDER_TICKS <= ticks_up().unwrap());
        assert_eq!(now.presence(), RunnerLiveness::Possible);
        // No process is older than the host's boot.
        let early = RunnerProcess::of_stage(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!((early.presence(), early.process), (RunnerLiveness::Possible, None));
    }

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let line = b"7 (a) R 1 (b) S 42 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = ProcessStat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.started_ticks, stat.is_over), (42, 12345, false));
        for cut in 0..line.len() {
            let _ = ProcessStat::parse(&line[..cut]);
        }
    }
}
