//! Process 1 of the container: starts this program again as the server, and waits for it.
//!
//! It tells the server who wants the task to end, forwards all other signals, reaps the job's
//! orphans, and ends with the server's exit code. It does nothing else, so that nothing can block
//! it.

use std::process::{Command, ExitCode};

use fargate_protocol::ENDED_FROM_INSIDE;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::task_end::{TaskEndOrigin, TaskEndSender};

/// Exit status if the server cannot be started: a shell's code for "cannot execute".
const CANNOT_START: u8 = 126;
/// Exit status if a signal without a name ended the server: the same as after KILL.
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
    // Block all signals before the server exists, so that none is lost. The server inherits the
    // blocked signals, and first unblocks them.
    let signals = SigSet::all();
    signals.thread_block()?;
    let (reader, writer) = std::io::pipe()?;
    let server = Command::new("/proc/self/exe").arg(crate::WITH_INIT).stdin(reader).spawn()?;
    let server = Pid::from_raw(i32::try_from(server.id()).map_err(std::io::Error::other)?);
    hide_environment();
    // `sigwait` would fail on a real-time signal, which has no name, and any process of the task
    // may send one.
    let arrived = SignalFd::new(&signals)?;
    let mut sender = TaskEndSender::new(writer);
    loop {
        let Some(signal) = arrived.read_signal()? else { continue };
        let origin = TaskEndOrigin::of(&signal);
        match i32::try_from(signal.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) {
            Some(Signal::SIGCHLD) => {
                if let Some(end) = reap(server) {
                    return Ok(end.exit_code(sender.told_from_inside_only()));
                }
            }
            // These are not forwarded. The program that started this one may have made it ignore
            // SIGHUP, as `nohup` does; the server inherits that and would not see it.
            Some(Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP) => sender.tell(origin),
            // An image may choose any signal as its stop signal, even one without a name.
            Some(Signal::SIGQUIT | Signal::SIGUSR1 | Signal::SIGUSR2)
                if origin == TaskEndOrigin::Outside =>
            {
                sender.tell(origin);
            }
            None => sender.tell(origin),
            // If the server has just ended, SIGCHLD is already waiting.
            Some(signal) => drop(kill(server, signal)),
        }
    }
}

/// How the server ended.
enum ServerEnd {
    /// It exited with this code.
    Exited(u8),
    /// A signal killed it: 128 and the signal's number.
    Killed(u8),
}

impl ServerEnd {
    /// The exit code to end with. If the job told the server to end and then killed it, the server
    /// could not say so, and this code says it. Someone outside who kills the task kills process 1
    /// as well.
    fn exit_code(&self, told_from_inside_only: bool) -> u8 {
        match self {
            Self::Killed(_) if told_from_inside_only => ENDED_FROM_INSIDE,
            Self::Exited(code) | Self::Killed(code) => *code,
        }
    }
}

/// Reaps all children that have ended. Returns how the server ended, if it did.
fn reap(server: Pid) -> Option<ServerEnd> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            // If a script stops the server, the server's timers stop, and the task would never end.
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
            // Another child ended, or one was killed by a signal without a name. It is reaped in
            // any case.
            Ok(_) | Err(_) => {}
        }
    }
    // `nix` cannot name a real-time signal, so `waitpid` reports a server that such a signal killed
    // as an error. The server is reaped and gone all the same.
    (kill(server, None) == Err(Errno::ESRCH)).then_some(ServerEnd::Killed(KILLED))
}

/// Unblocks the signals that [`run`] blocked. Call it before the server sets a handler or starts a
/// script.
pub fn unblock_signals() -> std::io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}

/// Keeps other processes of the same user from reading this process's environment, which holds the
/// seed of the host key.
///
/// A root user with `CAP_SYS_PTRACE` can still read it, but Fargate gives that right only if the
/// task definition adds it.
pub fn hide_environment() {
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        eprintln!("warning: other processes can read the agent's environment in /proc: {error}");
    }
}
