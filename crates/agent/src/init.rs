//! PID 1: starts this program again as the server, tells it who wants the task to end, forwards all
//! other signals to it, reaps every orphan of the job, and ends with the server's code. It does
//! nothing else, so that it cannot hang.

use std::process::{Command, ExitCode};

use fargate_protocol::ENDED_FROM_INSIDE;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::task_end::{TaskEndOrigin, TaskEndSender};

/// Exit status when the server cannot be started: the shell's "cannot execute".
const CANNOT_START: u8 = 126;
/// Exit status when a signal without a name ended the server; told like KILL.
const KILLED: u8 = 128 + 9;

pub fn run() -> ExitCode {
    match start_and_reap() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: starting the agent's server: {error}");
            ExitCode::from(CANNOT_START)
        }
    }
}

fn start_and_reap() -> std::io::Result<u8> {
    // Signals are blocked before the server exists, so that none is lost. The server inherits that
    // and begins by taking it back.
    let signals = SigSet::all();
    signals.thread_block()?;
    let (ear, mouth) = std::io::pipe()?;
    let server = Command::new("/proc/self/exe").arg(crate::WITH_INIT).stdin(ear).spawn()?;
    let server = Pid::from_raw(i32::try_from(server.id()).map_err(std::io::Error::other)?);
    hide_environment();
    // Not `sigwait`: real-time signals have no name, and anybody in the task may send one.
    let arrived = SignalFd::new(&signals)?;
    let mut teller = TaskEndSender::new(mouth);
    loop {
        let Some(signal) = arrived.read_signal()? else { continue };
        let origin = TaskEndOrigin::of(&signal);
        match i32::try_from(signal.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) {
            Some(Signal::SIGCHLD) => {
                if let Some(end) = reap(server) {
                    return Ok(end.exit_code(teller.told_from_inside_only()));
                }
            }
            // Not passed on: whoever started this process may have had SIGHUP ignored, as `nohup` does, and
            // the server would be deaf to it.
            Some(Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP) => teller.tell(origin),
            // An image may name any signal as its stop signal, also one that has no name.
            Some(Signal::SIGQUIT | Signal::SIGUSR1 | Signal::SIGUSR2)
                if origin == TaskEndOrigin::Outside =>
            {
                teller.tell(origin);
            }
            None => teller.tell(origin),
            // It may have ended a moment ago; then SIGCHLD is already pending.
            Some(signal) => drop(kill(server, signal)),
        }
    }
}

/// How the server ended.
enum ServerEnd {
    /// With this code of its own.
    Exited(u8),
    /// A signal killed it; 128 and its number.
    Killed(u8),
}

impl ServerEnd {
    /// A server that was told to end by its job, and then killed, could not say so itself. Whoever ends
    /// the task from outside kills process 1, and all others with it.
    fn exit_code(&self, told_from_inside_only: bool) -> u8 {
        match self {
            Self::Killed(_) if told_from_inside_only => ENDED_FROM_INSIDE,
            Self::Exited(code) | Self::Killed(code) => *code,
        }
    }
}

/// Reaps whatever ended; the server's end if it was among it.
fn reap(server: Pid) -> Option<ServerEnd> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            // A script that stops the server would stop its timers, and the task would never end.
            Ok(WaitStatus::Stopped(pid, _)) if pid == server => {
                let _ = kill(server, Signal::SIGCONT);
            }
            Ok(WaitStatus::Exited(pid, code)) if pid == server => {
                return Some(ServerEnd::Exited(u8::try_from(code & 0xff).unwrap_or(1)));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == server => {
                return Some(ServerEnd::Killed(u8::try_from(128 + signal as i32).unwrap_or(255)));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
            // Another child, or one that a signal without a name ended: it is reaped all the same.
            Ok(_) | Err(_) => {}
        }
    }
    (kill(server, None) == Err(Errno::ESRCH)).then_some(ServerEnd::Killed(KILLED))
}

/// Takes back what [`run`] has blocked, before the first handler or script of the server.
pub fn unblock_signals() -> std::io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}

/// Other processes of the same user can then not read this one's environment, which holds the
/// seed of the host key. A root user with `CAP_SYS_PTRACE`, which Fargate gives only where the task
/// definition adds it, still can.
pub fn hide_environment() {
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        eprintln!("warning: the agent's environment stays readable in /proc: {error}");
    }
}
