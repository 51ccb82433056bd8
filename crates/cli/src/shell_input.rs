//! What a person types, and the signals and sizes of the person's terminal, for a shell elsewhere.
//!
//! Standard input may be a terminal, a pipe or a file. A thread of its own reads it, because a file cannot
//! be waited for in any other way; the thread ends with the shell.

use std::io::{self, PipeWriter};
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use fargate_driver::session::{PersonInput, PersonOrder, PersonTerminalSize};
use fargate_terminal::stdin_size;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Pieces of input that may wait. While they do, nothing more is read.
const PIECES: usize = 4;
/// Bytes read at a time.
const READ: usize = 16 * 1024;
/// Orders that may wait; more of them would say the same.
const ORDERS: usize = 8;
/// Exit status after a signal: 128 and its number.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;
const HUNG_UP: u8 = 129;

/// Reads standard input until it is dropped.
pub struct InputReader {
    // Dropping it wakes the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl InputReader {
    /// Begins to read. Also gives what will come from the person, and where orders go.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if no thread or pipe can be made.
    pub fn start() -> io::Result<(Self, PersonInput, mpsc::Sender<PersonOrder>)> {
        let (bytes, typed) = mpsc::channel(PIECES);
        let (order, orders) = mpsc::channel(ORDERS);
        let (stopped, stop) = io::pipe()?;
        let thread = std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            while let Some(some) = next_bytes(&stopped) {
                if bytes.blocking_send(some).is_err() {
                    return;
                }
            }
        })?;
        let reader = Self { stop: Some(stop), thread: Some(thread) };
        Ok((reader, PersonInput { typed, orders }, order))
    }
}

impl Drop for InputReader {
    /// [`PersonInput`] must be dropped before: its channel may be full.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The next bytes. `None` at the end of standard input, or once the reader is stopped.
fn next_bytes(stopped: &io::PipeReader) -> Option<Vec<u8>> {
    let stdin = io::stdin();
    loop {
        let mut waiting = [
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            ready => ready.ok()?,
        };
        if waiting[0].any() == Some(true) {
            return None;
        }
        let mut bytes = vec![0; READ];
        match nix::unistd::read(stdin.as_fd(), &mut bytes) {
            // Somebody else may have made the stream non-blocking.
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Ok(0) | Err(_) => return None,
            Ok(length) => {
                bytes.truncate(length);
                return Some(bytes);
            }
        }
    }
}

/// The signals of this process that concern a shell.
pub struct ShellSignals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    resized: Signal,
}

impl ShellSignals {
    /// From now on these signals do not end this process.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if nobody may listen.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// Passes them on as orders, and never returns. With a terminal, Ctrl-C is a byte and no signal, so
    /// an interrupt is from somebody else.
    pub async fn pass_on(&mut self, orders: &mpsc::Sender<PersonOrder>, has_terminal: bool) -> ! {
        let mut interrupted = has_terminal;
        loop {
            let order = tokio::select! {
                _ = self.terminate.recv() => PersonOrder::Leave(TERMINATED),
                _ = self.hang_up.recv() => PersonOrder::Leave(HUNG_UP),
                _ = self.interrupt.recv() => match std::mem::replace(&mut interrupted, true) {
                    false => PersonOrder::Interrupt,
                    true => PersonOrder::Leave(INTERRUPTED),
                },
                _ = self.resized.recv() => match terminal_size() {
                    Some(size) => PersonOrder::Resized(size),
                    None => continue,
                },
            };
            // The channel is full only if the connection takes nothing, and closed only at the end.
            let _ = orders.send(order).await;
        }
    }
}

/// The size of the person's terminal.
pub fn terminal_size() -> Option<PersonTerminalSize> {
    let size = stdin_size()?;
    let number = |cells: usize| u32::try_from(cells).unwrap_or(u32::MAX);
    Some(PersonTerminalSize { columns: number(size.columns), rows: number(size.rows) })
}
