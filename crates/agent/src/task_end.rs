//! Who wants the task to end: a process of the task itself, or somebody outside.
//!
//! A job that ends its own task is to blame for it, and it cannot send a signal that looks like one
//! of ECS's. If another process 1 stands between, it forwards signals and nobody can say who sent
//! them; then they count as sent from outside.
//!
//! It only finds the origin. `server` decides what follows.

use std::io::{PipeWriter, Write};
use std::os::fd::AsFd;

use fargate_model::optional::or_never;
use nix::libc::signalfd_siginfo;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// `si_code` of a signal that `kill` sent. The kernel itself writes the sender into it. Source:
/// `sigaction(2)` and `asm-generic/siginfo.h` of Linux.
const SI_USER: i32 = 0;
/// `si_code` of a signal of the kernel's own, for example of a terminal.
const SI_KERNEL: i32 = 0x80;

/// Who wants the task to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEndOrigin {
    /// ECS, a person, or anyone else that is not a process of the task.
    Outside,
    /// A process of the task.
    Inside,
}

impl TaskEndOrigin {
    /// The origin of a signal to process 1. For a sender outside the PID namespace the kernel
    /// writes process id 0. With `sigqueue` the sender writes the id itself, so such a signal is
    /// not believed.
    pub fn of(signal: &signalfd_siginfo) -> Self {
        match (signal.ssi_code, signal.ssi_pid) {
            (SI_USER, 0) | (SI_KERNEL, _) => Self::Outside,
            _ => Self::Inside,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Outside => b'o',
            Self::Inside => b'i',
        }
    }

    fn of_byte(byte: u8) -> Self {
        if byte == b'i' { Self::Inside } else { Self::Outside }
    }
}

/// Used by process 1 to tell its server. Each origin is told once, so that a write never blocks.
pub struct TaskEndSender {
    pipe: PipeWriter,
    told: Vec<TaskEndOrigin>,
}

impl TaskEndSender {
    pub fn new(pipe: PipeWriter) -> Self {
        Self { pipe, told: Vec::new() }
    }

    /// Whether processes of the task asked for the end, and nobody outside did.
    pub fn told_from_inside_only(&self) -> bool {
        self.told == [TaskEndOrigin::Inside]
    }

    /// Tells the server that somebody wants the task to end.
    pub fn tell(&mut self, origin: TaskEndOrigin) {
        if !self.told.contains(&origin) {
            self.told.push(origin);
            // A server that has just ended does not need to hear it.
            let _ = self.pipe.write_all(&[origin.byte()]);
        }
    }
}

/// Used by the server to hear that somebody wants the task to end.
pub struct TaskEndReceiver {
    terminate: Signal,
    interrupt: Signal,
    /// The pipe from our own process 1, which does not forward such signals.
    init: Option<pipe::Receiver>,
    has_init: bool,
}

impl TaskEndReceiver {
    /// From now on, SIGTERM and SIGINT do not end this process. Our own process 1 writes to
    /// standard input.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if a handler cannot be set or standard input
    /// cannot be used.
    pub fn new(has_init: bool) -> std::io::Result<Self> {
        let init = match has_init {
            true => {
                let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
                Some(pipe::Receiver::from_owned_fd(stdin)?)
            }
            false => None,
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            init,
            has_init,
        })
    }

    /// Waits until somebody wants the task to end, and returns who.
    pub async fn next(&mut self) -> TaskEndOrigin {
        loop {
            let told = or_never(self.init.as_mut().map(|pipe| pipe.read_u8()));
            tokio::select! {
                _ = self.terminate.recv() => return self.of_signal(),
                _ = self.interrupt.recv() => return self.of_signal(),
                told = told => match told.ok() {
                    Some(byte) => return TaskEndOrigin::of_byte(byte),
                    None => self.init = None,
                },
            }
        }
    }

    /// The origin of a signal to this process. Under our own process 1, only a process of the task
    /// sends signals to this one.
    ///
    /// Process 1 is told before any client: if this server is killed while it ends, process 1
    /// speaks for it.
    fn of_signal(&self) -> TaskEndOrigin {
        if !self.has_init {
            return TaskEndOrigin::Outside;
        }
        // The parent lives as long as this process: if it ends, the whole PID namespace ends.
        let _ = kill(Pid::parent(), nix::sys::signal::SIGTERM);
        TaskEndOrigin::Inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The origin that `signalfd` shows for a signal with this `si_code` and sender.
    fn sent(code: i32, sender: u32) -> TaskEndOrigin {
        use nix::sys::signal::{SigSet, Signal, raise};
        use nix::sys::signalfd::SignalFd;
        let signals = SigSet::from_iter([Signal::SIGUSR1]);
        signals.thread_block().unwrap();
        raise(Signal::SIGUSR1).unwrap();
        let mut told = SignalFd::new(&signals).unwrap().read_signal().unwrap().unwrap();
        told.ssi_code = code;
        told.ssi_pid = sender;
        TaskEndOrigin::of(&told)
    }

    #[test]
    fn only_a_sender_that_the_kernel_calls_unknown_is_outside() {
        const SI_QUEUE: i32 = -1;
        const SI_TKILL: i32 = -6;
        assert_eq!(sent(SI_USER, 0), TaskEndOrigin::Outside);
        assert_eq!(sent(SI_KERNEL, 0), TaskEndOrigin::Outside);
        for (code, sender) in [(SI_USER, 7), (SI_QUEUE, 0), (SI_TKILL, 0), (SI_QUEUE, 7)] {
            assert_eq!(sent(code, sender), TaskEndOrigin::Inside, "{code} {sender}");
        }
    }

    #[test]
    fn each_origin_is_told_once_however_often_it_is_heard() {
        use std::io::Read;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut sender = TaskEndSender::new(writer);
        for _ in 0..100_000 {
            sender.tell(TaskEndOrigin::Inside);
            sender.tell(TaskEndOrigin::Outside);
        }
        drop(sender);
        let mut told = Vec::new();
        reader.read_to_end(&mut told).unwrap();
        assert_eq!(told, b"io");
    }
}
