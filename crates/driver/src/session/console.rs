//! Writes a script's output to this process's own stdout and stderr, unchanged and in order.
//!
//! It writes in a thread of its own, so a reader that stops reading never stops keepalives or
//! signals. The window of unacknowledged output limits what may wait. It never masks a script's
//! output; gitlab-runner does.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use fargate_mask::SharedMasker;
use fargate_model::text::CleanLines;
use fargate_protocol::{MAX_CHUNK, ScriptStream, WINDOW};
use nix::errno::Errno;
use tokio::sync::watch;

struct ConsoleChunk {
    stream: ScriptStream,
    bytes: Vec<u8>,
    /// It is a line of ours.
    is_own: bool,
}

#[derive(Default)]
struct ConsoleBuffer {
    waiting: VecDeque<ConsoleChunk>,
    over: bool,
}

/// Most pieces that may wait. The agent holds no more, see its output window. Only an agent that
/// breaks the protocol sends more.
const MAX_PIECES: usize = 32 * 1024;

/// Most bytes of our own lines that may wait.
const MOST_OWN: u64 = 64 * 1024;

/// The queue between session and writer. [`ConsoleWriter::put`] limits its bytes. Small pieces of
/// one stream are joined, and the number of pieces is limited for output that switches between its
/// streams.
#[derive(Default)]
struct ConsoleQueue {
    pieces: Mutex<ConsoleBuffer>,
    filled: Condvar,
}

impl ConsoleQueue {
    fn lock(&self) -> MutexGuard<'_, ConsoleBuffer> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece. Returns `false` if too many wait.
    fn push(&self, stream: ScriptStream, bytes: Vec<u8>, is_own: bool) -> bool {
        let mut pieces = self.lock();
        let full = pieces.waiting.len() >= MAX_PIECES;
        match pieces.waiting.back_mut() {
            Some(last)
                if last.stream == stream
                    && last.is_own == is_own
                    && last.bytes.len() + bytes.len() <= MAX_CHUNK =>
            {
                last.bytes.extend_from_slice(&bytes);
            }
            _ if full => return false,
            _ => pieces.waiting.push_back(ConsoleChunk { stream, bytes, is_own }),
        }
        self.filled.notify_one();
        true
    }

    fn close(&self) {
        self.lock().over = true;
        self.filled.notify_one();
    }

    /// The next piece. `None` when the queue is closed and empty.
    fn pop(&self) -> Option<ConsoleChunk> {
        let mut pieces = self.lock();
        loop {
            match pieces.waiting.pop_front() {
                Some(piece) => return Some(piece),
                None if pieces.over => return None,
                None => {
                    pieces = self.filled.wait(pieces).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// How far writing has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleProgress {
    /// How many bytes were written.
    pub written: u64,
    /// How many of them were lines of ours, of which the task knows nothing.
    pub own: u64,
    /// Why nothing more can be written, if that is so.
    pub closed: Option<OutputFailure>,
}

impl ConsoleProgress {
    /// How many bytes of the script's output were written.
    #[must_use]
    pub fn of_script(self) -> u64 {
        self.written - self.own
    }
}

/// Why the output of this process could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFailure {
    /// The number of the operating system's error; none if there was no error to see.
    errno: Option<i32>,
}

impl OutputFailure {
    /// Nobody reads the output any more.
    pub const READER_GONE: Self = Self { errno: None };
}

impl fmt::Display for OutputFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno.map(Errno::from_raw) {
            None | Some(Errno::EPIPE) => f.write_str("Whoever read this process's output is gone"),
            Some(errno) => write!(f, "Writing this process's output: {}", errno.desc()),
        }
    }
}

/// Writes a script's output.
pub struct ConsoleWriter {
    queue: Arc<ConsoleQueue>,
    accepted: u64,
    /// How many of them were lines of ours.
    own: u64,
    mid_line: bool,
    joins_streams: bool,
    progress: watch::Receiver<ConsoleProgress>,
    writer: Option<JoinHandle<()>>,
    /// For lines of our own; a script's output passes as it is.
    masker: SharedMasker,
}

/// Why output is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleError {
    /// The peer sent more than the window without an acknowledgement, which breaks the protocol.
    #[error("the task sent more than {WINDOW} bytes that were not acknowledged")]
    Overrun,
    /// The writer ended, because a stream of ours cannot be written any more.
    #[error("{0}")]
    Closed(OutputFailure),
}

impl ConsoleWriter {
    /// Writes to stdout and stderr of this process, without the buffers of the standard library.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if a stream is closed or no thread can be started.
    pub fn of_this_process(masker: SharedMasker) -> io::Result<Self> {
        let own =
            |stream: io::Result<std::os::fd::OwnedFd>| Ok::<_, io::Error>(File::from(stream?));
        let stdout = own(io::stdout().as_fd().try_clone_to_owned())?;
        let stderr = own(io::stderr().as_fd().try_clone_to_owned())?;
        let joins_streams = is_one_file(&stdout, &stderr);
        let mut console = Self::into_sinks(stdout, stderr, masker)?;
        console.joins_streams = joins_streams;
        Ok(console)
    }

    /// Writes to these instead of to the streams of this process. They may block: a thread of its own writes.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if no thread can be started.
    pub fn into_sinks(
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
        masker: SharedMasker,
    ) -> io::Result<Self> {
        let queue = Arc::new(ConsoleQueue::default());
        let (report, progress) = watch::channel(ConsoleProgress::default());
        let writer = std::thread::Builder::new()
            .name("console".to_owned())
            .stack_size(64 * 1024)
            .spawn({
            let queue = queue.clone();
            move || write_all(&queue, stdout, stderr, &report)
        })?;
        Ok(Self {
            queue,
            accepted: 0,
            own: 0,
            mid_line: false,
            joins_streams: false,
            progress,
            writer: Some(writer),
            masker,
        })
    }

    /// Accepts bytes. It never blocks.
    ///
    /// # Errors
    ///
    /// Returns [`ConsoleError`] if the peer sent too much or the reader is gone.
    pub fn put(&mut self, stream: ScriptStream, bytes: Vec<u8>) -> Result<(), ConsoleError> {
        self.accept(stream, bytes, false)
    }

    fn accept(
        &mut self,
        stream: ScriptStream,
        bytes: Vec<u8>,
        is_own: bool,
    ) -> Result<(), ConsoleError> {
        let length = bytes.len() as u64;
        let progress = *self.progress.borrow();
        if let Some(failure) = progress.closed {
            return Err(ConsoleError::Closed(failure));
        }
        // A line of ours takes no room from the task, which counts what it may send by itself.
        let (waiting, most) = match is_own {
            false => (self.accepted - self.own - progress.of_script(), WINDOW as u64),
            true => (self.own - progress.own, MOST_OWN),
        };
        if waiting + length > most {
            return Err(ConsoleError::Overrun);
        }
        let mid_line = bytes.last().map_or(self.mid_line, |last| *last != b'\n');
        if !self.queue.push(stream, bytes, is_own) {
            return Err(ConsoleError::Overrun);
        }
        self.accepted += length;
        self.own += if is_own { length } else { 0 };
        self.mid_line = mid_line;
        Ok(())
    }

    /// Whether a piece of `length` bytes would be accepted, in either stream.
    #[must_use]
    pub fn has_room(&self, length: usize) -> bool {
        let written = self.progress.borrow().of_script();
        let waiting = (self.accepted - self.own).saturating_sub(written);
        let fits = usize::try_from(waiting).is_ok_and(|waiting| waiting + length <= WINDOW);
        fits && self.queue.lock().waiting.len() < MAX_PIECES
    }

    /// Writes a line of our own to stderr, behind all accepted output. If the output did not end a
    /// line, this begins a new one.
    pub fn say(&mut self, line: &str) {
        let fresh = if self.mid_line { "\n" } else { "" };
        // Mask before cutting: a cut could split a secret.
        let line = CleanLines::line(&self.masker.text(line.trim_end_matches('\n')));
        let line = format!("{fresh}{}", line.as_str());
        // A reader that is gone, or too slow, misses it.
        let _ = self.accept(ScriptStream::Stderr, line.into_bytes(), true);
    }

    /// Whether both streams go into one file. Then the script needs one stream as well, or the
    /// order of its output would be lost on the way.
    #[must_use]
    pub fn joins_streams(&self) -> bool {
        self.joins_streams
    }

    /// Whether the last byte did not end a line. Then a line of ours must begin a new one.
    #[must_use]
    pub fn is_mid_line(&self) -> bool {
        self.mid_line
    }

    /// Watches how far the writer comes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<ConsoleProgress> {
        self.progress.clone()
    }

    /// Returns when everything that was accepted is written, or cannot be written any more.
    pub async fn drained(&mut self) -> ConsoleProgress {
        let accepted = self.accepted;
        let done =
            |progress: &ConsoleProgress| progress.written >= accepted || progress.closed.is_some();
        if let Ok(progress) = self.progress.wait_for(done).await {
            return *progress;
        }
        ConsoleProgress { closed: Some(OutputFailure::READER_GONE), ..*self.progress.borrow() }
    }
}

impl Drop for ConsoleWriter {
    fn drop(&mut self) {
        self.queue.close();
        let all_written = self.progress.borrow().written >= self.accepted;
        // A writer that hangs in a full pipe ends with the process.
        if let Some(writer) = self.writer.take().filter(|_| all_written) {
            let _ = writer.join();
        }
    }
}

/// Whether two descriptors lead to the same file, pipe or terminal, however they were opened.
fn is_one_file(one: &File, other: &File) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn write_all(
    queue: &ConsoleQueue,
    mut stdout: impl Write,
    mut stderr: impl Write,
    report: &watch::Sender<ConsoleProgress>,
) {
    while let Some(piece) = queue.pop() {
        let sink: &mut dyn Write = match piece.stream {
            ScriptStream::Stdout => &mut stdout,
            ScriptStream::Stderr => &mut stderr,
        };
        if let Err(error) = sink.write_all(&piece.bytes) {
            let failure = OutputFailure { errno: error.raw_os_error() };
            report.send_modify(|progress| progress.closed = Some(failure));
            return;
        }
        let length = piece.bytes.len() as u64;
        report.send_modify(|progress| {
            progress.written += length;
            progress.own += if piece.is_own { length } else { 0 };
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read, pipe};

    fn console() -> (ConsoleWriter, PipeReader, PipeReader) {
        let (out_reader, out) = pipe().unwrap();
        let (err_reader, err) = pipe().unwrap();
        (
            ConsoleWriter::into_sinks(out, err, SharedMasker::default()).unwrap(),
            out_reader,
            err_reader,
        )
    }

    #[tokio::test]
    async fn streams_stay_apart_and_are_written_whole() {
        let (mut console, mut out, mut err) = console();
        console.put(ScriptStream::Stdout, b"one".to_vec()).unwrap();
        console.put(ScriptStream::Stderr, b"\xff\0two".to_vec()).unwrap();
        assert_eq!(console.drained().await, ConsoleProgress { written: 8, own: 0, closed: None });
        drop(console);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        out.read_to_end(&mut stdout).unwrap();
        err.read_to_end(&mut stderr).unwrap();
        assert_eq!((stdout, stderr), (b"one".to_vec(), b"\xff\0two".to_vec()));
    }

    /// The agent counts the bytes of the script only, and refuses to be acknowledged more.
    #[tokio::test]
    async fn a_line_of_ours_between_two_pieces_does_not_count_as_output_of_the_script() {
        let (mut console, _out, mut err) = console();
        console.put(ScriptStream::Stderr, b"one".to_vec()).unwrap();
        console.say("ours");
        console.put(ScriptStream::Stderr, b"two\n".to_vec()).unwrap();
        assert_eq!(console.drained().await.of_script(), 7);
        drop(console);
        let mut stderr = String::new();
        err.read_to_string(&mut stderr).unwrap();
        assert_eq!(stderr, "one\nours\ntwo\n");
    }

    const GONE: &str = "Whoever read this process's output is gone";

    #[tokio::test]
    async fn a_full_disk_is_named_as_such() {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let mut console =
            ConsoleWriter::into_sinks(full(), full(), SharedMasker::default()).unwrap();
        console.put(ScriptStream::Stdout, b"x".to_vec()).unwrap();
        let failure = console.drained().await.closed.unwrap();
        assert_eq!(failure.to_string(), "Writing this process's output: No space left on device");
        let refused = console.put(ScriptStream::Stdout, b"x".to_vec());
        assert_eq!(refused, Err(ConsoleError::Closed(failure)));
    }

    #[test]
    fn two_ends_of_one_pipe_are_one_file_and_two_pipes_are_two() {
        let file = |pipe: io::PipeWriter| File::from(std::os::fd::OwnedFd::from(pipe));
        let (_reader, one) = pipe().unwrap();
        let (_other_reader, other) = pipe().unwrap();
        let (one, same, other) = (one.try_clone().map(file).unwrap(), file(one), file(other));
        assert!(is_one_file(&one, &same));
        assert!(!is_one_file(&one, &other));
        let [first, second] = [(); 2].map(|()| File::open("/dev/null").unwrap());
        assert!(is_one_file(&first, &second));
    }

    #[tokio::test]
    async fn a_reader_that_stops_reading_costs_at_most_the_window() {
        let (mut console, _out, _err) = console();
        let piece = vec![b'x'; 32 * 1024];
        let mut taken = 0;
        while console.put(ScriptStream::Stdout, piece.clone()).is_ok() {
            taken += piece.len();
        }
        // The pipe itself holds some more.
        assert!(taken <= WINDOW + 128 * 1024, "{taken}");
        let refused = console.put(ScriptStream::Stdout, piece);
        assert_eq!(refused, Err(ConsoleError::Overrun));
    }

    #[tokio::test]
    async fn bytes_that_come_one_by_one_are_joined_while_they_wait() {
        let (mut console, mut out, _err) = console();
        console.put(ScriptStream::Stdout, vec![b'x'; 128 * 1024]).unwrap();
        for _ in 0..100_000 {
            console.put(ScriptStream::Stdout, vec![b'y']).unwrap();
        }
        assert!(console.queue.lock().waiting.len() < 10);
        let mut all = vec![0; 128 * 1024 + 100_000];
        out.read_exact(&mut all).unwrap();
        assert!(all.ends_with(b"yyy"));
    }

    #[tokio::test]
    async fn small_pieces_of_alternating_streams_run_out_of_room_before_they_are_refused() {
        let (mut console, _out, _err) = console();
        // What the pipes themselves can hold is written at once.
        console.put(ScriptStream::Stdout, vec![b'x'; 128 * 1024]).unwrap();
        console.put(ScriptStream::Stderr, vec![b'x'; 128 * 1024]).unwrap();
        let mut streams = [ScriptStream::Stdout, ScriptStream::Stderr].into_iter().cycle();
        let mut taken = 0;
        while console.has_room(2) {
            console.put(streams.next().unwrap(), b"y\n".to_vec()).unwrap();
            taken += 1;
        }
        assert!((MAX_PIECES - 2..=MAX_PIECES).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_noticed() {
        let (mut console, out, _err) = console();
        drop(out);
        console.put(ScriptStream::Stdout, b"lost".to_vec()).unwrap();
        assert_eq!(console.drained().await.closed.unwrap().to_string(), GONE);
    }
}
