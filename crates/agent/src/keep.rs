//! Keeps the task of a failed job for a person: ends all processes of the job, has what is secret wiped,
//! and takes a new lease.
//!
//! If one of these steps fails, the task is not kept, and whoever asked stops it. The old lease then
//! still holds. What is wiped, and where, is the matter of `wipe`.

use std::time::Duration;

use fargate_protocol::{AgentRefusal, TaskKeepReport, TaskKeepRequest};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::time::{Instant, sleep, timeout_at};

use crate::task::AgentTask;
use crate::wipe::{WipeOrder, wipe};

/// Longest time for all of it, whatever the client says.
const LONGEST: Duration = Duration::from_secs(600);
/// Longest wait until killed processes are gone. One that waits for storage may take longer.
const ENDED_WITHIN: Duration = Duration::from_secs(5);
/// How often to look whether they are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long before the agent a file may have changed and still count as changed by the job. Only the
/// clock of this machine is used, which may be set.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// Wipes the task and keeps it.
///
/// # Errors
///
/// Returns [`AgentRefusal`] if a process of the job or a secret may be left. No script runs then
/// either, and the lease is the old one.
pub async fn keep(
    task: &AgentTask,
    request: TaskKeepRequest,
) -> Result<TaskKeepReport, AgentRefusal> {
    // Nobody else's processes may be killed. As a child of process 1 the agent has a PID namespace
    // whose other processes are all the job's.
    if !task.is_alone || getppid() != Pid::from_raw(1) {
        return Err(refused("the agent is not process 1 of its container"));
    }
    let within = Duration::from_millis(request.within_ms).min(LONGEST);
    let deadline = Instant::now() + within;
    task.run_no_more(within).await?;
    end_all_processes(deadline.min(Instant::now() + ENDED_WITHIN)).await?;
    let order = WipeOrder {
        traces: request.traces,
        build_folders: request.build_folders,
        changed_since: task.since.checked_sub(CLOCK_MARGIN).unwrap_or(task.since),
        deadline: deadline.into_std(),
    };
    let wiping = tokio::task::spawn_blocking(move || wipe(&order));
    // The thread looks at the deadline itself, except while the kernel holds it in one call.
    let report = match timeout_at(deadline + ENDED_WITHIN, wiping).await {
        Ok(Ok(Ok(report))) => report,
        Ok(Ok(Err(error))) => return Err(refused(&error.to_string())),
        Ok(Err(_)) | Err(_) => return Err(refused("wiping did not end")),
    };
    task.lease.renew(&request.lease);
    Ok(report)
}

fn refused(what: &str) -> AgentRefusal {
    AgentRefusal::Keep { what: what.to_owned() }
}

/// Kills every process of this PID namespace but process 1 and this one, until none is left.
async fn end_all_processes(deadline: Instant) -> Result<(), AgentRefusal> {
    loop {
        // The kernel leaves out process 1 and the caller.
        match kill(Pid::from_raw(-1), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(refused(&format!("killing the job's processes: {error}"))),
        }
        let left = others().map_err(|error| refused(&format!("reading /proc: {error}")))?;
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            let left = left.len();
            return Err(refused(&format!("{left} processes cannot be killed, such as {first}")));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The processes that are neither process 1, nor this one, nor dead.
fn others() -> std::io::Result<Vec<u32>> {
    let own = std::process::id();
    let mut others = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid != 1 && pid != own && is_alive(pid) {
            others.push(pid);
        }
    }
    Ok(others)
}

fn is_alive(pid: u32) -> bool {
    // The name in parentheses may hold any character, so the state is looked for behind the last one.
    let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
