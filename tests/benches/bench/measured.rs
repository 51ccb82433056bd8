//! One process from its start to its end: how long it took, and what it cost.

use std::error::Error;
use std::io::Read;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use fargate_playground::wait::look_until_blocking;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::processes::private;

/// Nothing here takes longer, unless something is broken.
const DEADLINE: Duration = Duration::from_secs(30);
/// Between two looks at something that will change.
const LOOK: Duration = Duration::from_millis(1);

/// A process that passed.
pub struct MeasuredProcess {
    /// From before its start until its end was seen.
    pub wall: Duration,
    /// User and system time together. It counts every child that ended meanwhile, so it is the
    /// process's own only while no other child ends.
    pub cpu: Duration,
    /// When its end was seen.
    pub ended: Instant,
}

/// Runs `command`, whose standard output is a pipe, to its end; any exit but 0 is an error.
pub fn measure(command: &mut Command) -> Result<MeasuredProcess, Box<dyn Error>> {
    let cpu_before = cpu_of_children()?;
    let began = Instant::now();
    let mut child =
        command.spawn().map_err(|error| format!("starting {}: {error}", words(command)))?;
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output)?;
    }
    let status = child.wait()?;
    let ended = Instant::now();
    let cpu = cpu_of_children()?.saturating_sub(cpu_before);
    if !status.success() {
        let output = String::from_utf8_lossy(&output);
        return Err(format!("{status} of {}:\n{output}", words(command)).into());
    }
    Ok(MeasuredProcess { wall: ended - began, cpu, ended })
}

/// Program and arguments; never the environment, which holds whatever this user has in it.
pub fn words(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cpu_of_children() -> nix::Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let duration = |time: TimeVal| {
        let part = |n: i64| u64::try_from(n).unwrap_or(0);
        Duration::from_secs(part(time.tv_sec())) + Duration::from_micros(part(time.tv_usec()))
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

/// The most private memory that `child` was seen to have until it ended, in bytes.
pub fn peak_private(child: &mut Child) -> Result<u64, Box<dyn Error>> {
    let mut peak = 0;
    let ended = until_found(&format!("the end of process {}", child.id()), LOOK, || {
        // A process that is just ending has no memory to show.
        peak = peak.max(private(child.id()) * 1024);
        child.try_wait().transpose()
    });
    if ended.is_err() {
        child.kill()?;
    }
    ended??;
    match peak {
        0 => Err("/proc showed no memory of the process before it ended".into()),
        peak => Ok(peak),
    }
}

/// The sum of these fields of a file of `/proc`, in KiB.
pub fn kib(text: &str, fields: &[&str]) -> u64 {
    let value = |line: &str| {
        let (field, rest) = line.split_once(char::is_whitespace)?;
        fields.contains(&field).then(|| rest.split_whitespace().next()?.parse::<u64>().ok())?
    };
    text.lines().filter_map(value).sum()
}

/// Waits until `seen`; `what` names it where it does not come.
pub fn until(what: &str, mut seen: impl FnMut() -> bool) -> Result<(), Box<dyn Error>> {
    until_found(what, LOOK, || seen().then_some(()))
}

/// Looks `every` so often until there is something; `what` names it where it does not come.
pub fn until_found<T>(
    what: &str,
    every: Duration,
    look: impl FnMut() -> Option<T>,
) -> Result<T, Box<dyn Error>> {
    let found = look_until_blocking(DEADLINE, every, look);
    found.ok_or_else(|| format!("waited {DEADLINE:?} for {what}").into())
}
