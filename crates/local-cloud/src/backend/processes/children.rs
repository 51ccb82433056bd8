//! The processes that the backend started. They are reaped one by one on SIGCHLD, never by
//! `waitpid(-1)`, because the program around the cloud may have children of its own.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::backend::container::{ContainerEvent, ContainerEventSender};

/// The running children and the task that reaps them.
pub struct ChildProcesses {
    running: Mutex<HashMap<u32, RunningChild>>,
    reaper: Mutex<Option<JoinHandle<()>>>,
}

struct RunningChild {
    child: Child,
    /// The container's first process.
    first: Pid,
    /// When that process became the container's own program.
    started: Instant,
    /// The first process leads a process group, and signals go to the whole group.
    group: bool,
    index: usize,
    events: ContainerEventSender,
}

impl ChildProcesses {
    /// Starts to reap.
    pub fn watch() -> io::Result<Arc<Self>> {
        let mut ended = signal(SignalKind::child())?;
        let children = Arc::new(Self { running: Mutex::default(), reaper: Mutex::new(None) });
        let weak = Arc::downgrade(&children);
        let reaper = tokio::spawn(async move {
            while ended.recv().await.is_some() {
                let Some(children) = weak.upgrade() else { break };
                children.reap();
            }
        });
        *children.reaper.lock().expect("no one panics here") = Some(reaper);
        Ok(children)
    }

    /// Watches a child; its exit code goes to `events`, which has room for it.
    pub fn add(
        &self,
        child: Child,
        first: i32,
        group: bool,
        index: usize,
        events: ContainerEventSender,
    ) {
        let (first, started) = (Pid::from_raw(first), Instant::now());
        let running = RunningChild { child, first, started, group, index, events };
        self.lock().insert(running.child.id(), running);
        // The child may have ended before it was in the table, and then SIGCHLD came too early.
        self.reap();
    }

    /// Sets which process is the container's first one.
    pub fn set_first(&self, child: u32, first: i32) {
        if let Some(running) = self.lock().get_mut(&child) {
            running.first = Pid::from_raw(first);
        }
    }

    /// Notes that the first process has now become the container's own program.
    pub fn set_started(&self, child: u32) {
        if let Some(running) = self.lock().get_mut(&child) {
            running.started = Instant::now();
        }
    }

    /// The container's first process and when it started, if the child still runs.
    pub fn first_process(&self, child: u32) -> Option<(i32, Instant)> {
        self.lock().get(&child).map(|running| (running.first.as_raw(), running.started))
    }

    /// Sends a signal, if the child still runs.
    pub fn signal(&self, child: u32, signal: Signal) {
        if let Some(running) = self.lock().get(&child) {
            running.send(signal);
        }
    }

    /// Sends SIGKILL to all.
    pub fn kill_all(&self) {
        for running in self.lock().values() {
            running.send(Signal::SIGKILL);
        }
    }

    /// Stops to reap. Children that still run are not waited for.
    pub async fn close(&self) {
        let reaper = self.reaper.lock().expect("no one panics here").take();
        if let Some(reaper) = reaper {
            reaper.abort();
            // The only way to fail is the abort itself.
            let _ = reaper.await;
        }
    }

    fn reap(&self) {
        self.lock().retain(|_, running| match running.child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                running.report(exit_code(status));
                false
            }
            // Something else reaped it, so its exit code is unknown, but it has ended.
            Err(_) => {
                running.report(exit_code(ExitStatus::from_raw(9)));
                false
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, RunningChild>> {
        self.running.lock().expect("no one panics while holding the children")
    }
}

impl Drop for ChildProcesses {
    fn drop(&mut self) {
        if let Some(reaper) = self.reaper.lock().expect("no one panics here").take() {
            reaper.abort();
        }
        for running in self.lock().values_mut() {
            running.send(Signal::SIGKILL);
            // It was killed above. Waiting takes its exit code, so that no zombie remains.
            let _ = running.child.wait();
        }
    }
}

impl RunningChild {
    fn send(&self, signal: Signal) {
        // An error means that it ended at this moment.
        let _ = if self.group { killpg(self.first, signal) } else { kill(self.first, signal) };
    }

    /// The channel has room for one code per container. An error means that nobody listens any more.
    fn report(&self, code: i32) {
        let _ = self.events.try_send(ContainerEvent::exited(self.index, code));
    }
}

/// The code as ECS shows it: 128 + n for a death by signal n.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(9))
}
