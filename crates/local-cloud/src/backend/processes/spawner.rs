//! The one thread that starts processes. `--die-with-parent` kills a process when the thread that started
//! it ends, not when the program ends, so this thread lives as long as its cloud.
//!
//! If the cloud is killed in the millisecond between the start of a process and that process's request
//! to die with its parent, the process remains. The agent's own timers then end it.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::thread::{Builder, JoinHandle};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tokio::sync::{mpsc, oneshot};

/// How many starts may wait for the thread.
const QUEUE: usize = 64;

/// A handle on the thread.
pub struct ProcessSpawner {
    orders: Mutex<Option<mpsc::Sender<SpawnRequest>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct SpawnRequest {
    command: Command,
    inherited: OwnedFd,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl ProcessSpawner {
    pub fn start() -> io::Result<Self> {
        let (sender, mut orders) = mpsc::channel::<SpawnRequest>(QUEUE);
        let thread = Builder::new().name("task spawner".to_owned()).spawn(move || {
            while let Some(mut order) = orders.blocking_recv() {
                let started = spawn(&mut order.command, &order.inherited);
                // If nobody waits for the child any more, it is ended.
                if let Err(Ok(mut child)) = order.reply.send(started) {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        })?;
        Ok(Self { orders: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Starts a process that inherits `inherited` under the same descriptor number.
    pub async fn spawn(&self, command: Command, inherited: OwnedFd) -> io::Result<Child> {
        let ended = || io::Error::other("the local cloud is ending");
        let orders = self.orders.lock().expect("no one panics here").clone().ok_or_else(ended)?;
        let (reply, answer) = oneshot::channel();
        orders.send(SpawnRequest { command, inherited, reply }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Ends the thread, which ends every process that it started.
    pub fn close(&self) {
        drop(self.orders.lock().expect("no one panics here").take());
        let thread = self.thread.lock().expect("no one panics here").take();
        if let Some(thread) = thread {
            // An error means that the thread panicked, so it has ended as well.
            let _ = thread.join();
        }
    }
}

impl Drop for ProcessSpawner {
    fn drop(&mut self) {
        self.close();
    }
}

/// The descriptor is inheritable only between these two lines. A process that another thread starts at
/// that moment inherits it too. That does no harm: nobody waits for its end of file.
fn spawn(command: &mut Command, inherited: &OwnedFd) -> io::Result<Child> {
    fcntl(inherited, FcntlArg::F_SETFD(FdFlag::empty()))?;
    command.spawn()
}
