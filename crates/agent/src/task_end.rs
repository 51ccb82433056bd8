//! Where a wish to end the task came from: a process of the task itself, or somebody outside.
//!
//! A job can end its own task, and then it is to blame; it cannot make its signal look like one of
//! ECS's. Where another init stands before the agent, that one passes on what it is sent, and nobody
//! can say who sent it: then it counts as sent from outside.

use std::io::{PipeWriter, Write};
use std::os::fd::AsFd;

use fargate_model::optional::or_never;
use nix::libc::signalfd_siginfo;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// `si_code` of a signal that `kill` has sent, for which the kernel itself fills the sender in.
/// Source: `sigaction(2)` and `asm-generic/siginfo.h` of Linux.
const SI_USER: i32 = 0;
/// The same of a signal of the kernel's own, such as a terminal's.
const SI_KERNEL: i32 = 0x80;

/// Who wants the end of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEndOrigin {
    /// ECS, a person or whoever else is no process of the task.
    Outside,
    /// A process of the task.
    Inside,
}

impl TaskEndOrigin {
    /// Of a signal to process 1. The kernel names a sender outside of the PID namespace 0. Whoever
    /// queues a signal by `sigqueue` fills the sender in by himself, so nothing else is believed.
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

/// Process 1's way to tell its server; each origin is told once, so that it never blocks.
pub struct TaskEndSender {
    pipe: PipeWriter,
    told: Vec<TaskEndOrigin>,
}

impl TaskEndSender {
    pub fn new(pipe: PipeWriter) -> Self {
        Self { pipe, told: Vec::new() }
    }

    /// True if processes of the task have wanted the end, and nobody outside.
    pub fn told_from_inside_only(&self) -> bool {
        self.told == [TaskEndOrigin::Inside]
    }

    /// Tells the server that its end is wanted.
    pub fn tell(&mut self, origin: TaskEndOrigin) {
        if !self.told.contains(&origin) {
            self.told.push(origin);
            // A server that has just ended hears nothing, and needs nothing.
            let _ = self.pipe.write_all(&[origin.byte()]);
        }
    }
}

/// The server's ear for wishes to end the task.
pub struct TaskEndReceiver {
    terminate: Signal,
    interrupt: Signal,
    /// From our own process 1, which passes no such signal on.
    init: Option<pipe::Receiver>,
    has_init: bool,
}

impl TaskEndReceiver {
    /// From here on SIGTERM and SIGINT do not end this process. Our own process 1 speaks through
    /// standard input.
    ///
    /// # Errors
    ///
    /// The operating system's.
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

    /// The next wish.
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

    /// Under our own process 1 only a process of the task sends a signal to this one. Process 1 is told,
    /// before any client is: it speaks for this server if that is killed in the middle of its end.
    fn of_signal(&self) -> TaskEndOrigin {
        if !self.has_init {
            return TaskEndOrigin::Outside;
        }
        // It lives as long as this process: its end is that of the PID namespace.
        let _ = kill(Pid::parent(), nix::sys::signal::SIGTERM);
        TaskEndOrigin::Inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `signalfd` tells of a signal, by its `si_code` and sender.
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
        let mut teller = TaskEndSender::new(writer);
        for _ in 0..100_000 {
            teller.tell(TaskEndOrigin::Inside);
            teller.tell(TaskEndOrigin::Outside);
        }
        drop(teller);
        let mut told = Vec::new();
        reader.read_to_end(&mut told).unwrap();
        assert_eq!(told, b"io");
    }
}
