//! The output of a script that the client has not acknowledged yet.
//!
//! It holds at most [`WINDOW`] bytes in memory. If it is full, the script's writes block. It never
//! writes to disk.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fargate_protocol::{MAX_CHUNK, ScriptExit, ScriptStream, WINDOW};
use tokio::sync::watch;

/// Most pieces held at a time. It limits the memory if a script switches between its streams often.
const MAX_CHUNKS: usize = 16 * 1024;

struct OutputChunk {
    offset: u64,
    stream: ScriptStream,
    bytes: Vec<u8>,
}

impl OutputChunk {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

#[derive(Default)]
struct OutputState {
    chunks: VecDeque<OutputChunk>,
    acknowledged: u64,
    end: u64,
    discarding: bool,
    ending: Option<ScriptExit>,
    left: Option<OutputLeftover>,
}

/// What a script left behind when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputLeftover {
    /// Nobody can write any more, so the output is complete.
    Nothing,
    /// A process that may still write.
    Writers,
}

impl OutputState {
    fn held(&self) -> usize {
        usize::try_from(self.end - self.acknowledged).unwrap_or(usize::MAX)
    }

    fn is_full(&self) -> bool {
        !self.discarding && (self.held() >= WINDOW || self.chunks.len() >= MAX_CHUNKS)
    }
}

/// The output of one stage. The pumps write it, and the attached session reads it.
pub struct ScriptOutput {
    state: Mutex<OutputState>,
    changes: watch::Sender<()>,
}

/// What a reader finds at an offset.
#[derive(Debug, PartialEq, Eq)]
pub enum OutputRead {
    /// Bytes that start at the offset.
    Bytes(ScriptStream, Vec<u8>),
    /// No bytes yet.
    NotYet,
    /// The script has ended, and the offset is the end of its output.
    End(ScriptExit),
    /// The bytes are gone, because the client acknowledged bytes beyond this offset.
    Gone,
}

impl ScriptOutput {
    pub fn new() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Watches all changes from now on.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds output of the script. Waits while the window is full.
    pub async fn write(&self, stream: ScriptStream, mut bytes: &[u8]) {
        let mut changes = self.subscribe();
        while !bytes.is_empty() {
            let taken = self.append(stream, bytes);
            bytes = &bytes[taken..];
            if taken > 0 {
                self.changes.send_replace(());
            } else if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn append(&self, stream: ScriptStream, bytes: &[u8]) -> usize {
        let mut state = self.state();
        if state.discarding || state.ending.is_some() {
            return bytes.len();
        }
        if state.is_full() {
            return 0;
        }
        let room = WINDOW - state.held();
        let end = state.end;
        let taken = match state.chunks.back_mut() {
            Some(last) if last.stream == stream && last.bytes.len() < MAX_CHUNK => {
                let taken = bytes.len().min(room).min(MAX_CHUNK - last.bytes.len());
                last.bytes.extend_from_slice(&bytes[..taken]);
                taken
            }
            _ => {
                let taken = bytes.len().min(room).min(MAX_CHUNK);
                let bytes = bytes[..taken].to_vec();
                state.chunks.push_back(OutputChunk { offset: end, stream, bytes });
                taken
            }
        };
        state.end += taken as u64;
        taken
    }

    /// Returns what is at `offset`.
    pub fn read(&self, offset: u64) -> OutputRead {
        let state = self.state();
        if offset < state.chunks.front().map_or(state.end, |first| first.offset) {
            return OutputRead::Gone;
        }
        let index = state.chunks.partition_point(|chunk| chunk.end() <= offset);
        match (state.chunks.get(index), state.ending) {
            (Some(chunk), _) => {
                let skip = usize::try_from(offset - chunk.offset).unwrap_or(usize::MAX);
                OutputRead::Bytes(
                    chunk.stream,
                    chunk.bytes.get(skip..).unwrap_or_default().to_vec(),
                )
            }
            (None, Some(ending)) => OutputRead::End(ending),
            (None, None) => OutputRead::NotYet,
        }
    }

    /// Forgets everything below `offset`. Returns `false` if the offset is beyond the end, which is
    /// an error of the client.
    pub fn acknowledge(&self, offset: u64) -> bool {
        let mut state = self.state();
        if offset > state.end {
            return false;
        }
        state.acknowledged = state.acknowledged.max(offset);
        while state.chunks.front().is_some_and(|first| first.end() <= offset) {
            state.chunks.pop_front();
        }
        drop(state);
        self.changes.send_replace(());
        true
    }

    /// From now on throws output away, so that a script whose client is gone can end.
    pub fn discard(&self) {
        self.state().discarding = true;
        self.changes.send_replace(());
    }

    /// Notes that the script ended. Later output is not sent.
    pub fn finish(&self, ending: ScriptExit, left: OutputLeftover) {
        let mut state = self.state();
        state.ending = Some(ending);
        state.left = Some(left);
        drop(state);
        self.changes.send_replace(());
    }

    /// What the script left behind, once it has ended.
    pub fn left(&self) -> Option<OutputLeftover> {
        self.state().left
    }

    /// Bytes written so far.
    pub fn end(&self) -> u64 {
        self.state().end
    }

    /// Whether the script's writes block.
    pub fn is_full(&self) -> bool {
        self.state().is_full()
    }

    /// How the script ended, if it has.
    pub fn ending(&self) -> Option<ScriptExit> {
        self.state().ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn streams_keep_their_order_and_offsets() {
        let output = ScriptOutput::new();
        output.write(ScriptStream::Stdout, b"one ").await;
        output.write(ScriptStream::Stdout, b"two").await;
        output.write(ScriptStream::Stderr, b"three").await;
        assert_eq!(output.read(0), OutputRead::Bytes(ScriptStream::Stdout, b"one two".to_vec()));
        assert_eq!(output.read(5), OutputRead::Bytes(ScriptStream::Stdout, b"wo".to_vec()));
        assert_eq!(output.read(7), OutputRead::Bytes(ScriptStream::Stderr, b"three".to_vec()));
        assert_eq!(output.read(12), OutputRead::NotYet);
        output.finish(ScriptExit::Code { code: 0 }, OutputLeftover::Nothing);
        assert_eq!(output.read(12), OutputRead::End(ScriptExit::Code { code: 0 }));
    }

    #[tokio::test]
    async fn a_full_window_blocks_the_writer_until_the_client_acknowledges() {
        let output = ScriptOutput::new();
        output.write(ScriptStream::Stdout, &vec![b'x'; WINDOW]).await;
        assert!(output.is_full());
        let mut blocked = pin!(output.write(ScriptStream::Stdout, b"more"));
        assert!(poll(blocked.as_mut()).is_pending());
        assert!(output.acknowledge(4));
        assert!(poll(blocked.as_mut()).is_ready());
        assert_eq!(output.end(), WINDOW as u64 + 4);
    }

    #[tokio::test]
    async fn alternating_streams_cannot_grow_the_bookkeeping_without_limit() {
        let output = ScriptOutput::new();
        for _ in 0..MAX_CHUNKS / 2 {
            output.write(ScriptStream::Stdout, b"o").await;
            output.write(ScriptStream::Stderr, b"e").await;
        }
        assert!(output.is_full());
    }

    #[tokio::test]
    async fn acknowledged_bytes_are_gone_and_later_ones_stay() {
        let output = ScriptOutput::new();
        output.write(ScriptStream::Stdout, &vec![1; MAX_CHUNK]).await;
        output.write(ScriptStream::Stdout, b"tail").await;
        assert!(output.acknowledge(MAX_CHUNK as u64 + 1));
        assert_eq!(output.read(0), OutputRead::Gone);
        let rest = output.read(MAX_CHUNK as u64 + 1);
        assert_eq!(rest, OutputRead::Bytes(ScriptStream::Stdout, b"ail".to_vec()));
        assert!(!output.acknowledge(MAX_CHUNK as u64 + 5), "beyond the end");
    }

    #[tokio::test]
    async fn a_discarded_output_blocks_nobody() {
        let output = ScriptOutput::new();
        output.write(ScriptStream::Stdout, &vec![b'x'; WINDOW]).await;
        let mut blocked = pin!(output.write(ScriptStream::Stdout, b"more"));
        assert!(poll(blocked.as_mut()).is_pending());
        output.discard();
        assert!(poll(blocked.as_mut()).is_ready());
    }
}
