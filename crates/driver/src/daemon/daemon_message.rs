//! The messages between the daemon and the processes of its host, and their frames: four bytes of length, most
//! significant first, then JSON. Fields and kinds of another version are skipped, or end the connection.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use fargate_model::id::TaskArn;

use crate::task::ObservedTask;

/// The version of the messages. A daemon refuses another one, and the asker does without it.
pub const DAEMON_PROTOCOL: u32 = 1;
/// Most bytes of a frame. A task's description has some kilobytes.
pub const LONGEST_FRAME: usize = 1024 * 1024;
/// Bytes of a frame's length.
const HEAD: usize = 4;

/// Where a task is, and as whom ECS is asked about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskPlace {
    /// The Region.
    pub region: String,
    /// The cluster's name, or its ARN.
    pub cluster: String,
    /// The endpoint of ECS: two processes may have different ones.
    pub endpoint: String,
    /// The role that is assumed before any call, by its ARN.
    pub role: Option<String>,
}

/// What a process asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonRequest {
    /// Tell what is known of this task now, and each change from now on, until the connection ends. It is the
    /// first request of a connection.
    Watch {
        /// The asker's [`DAEMON_PROTOCOL`].
        version: u32,
        /// Where the task is.
        place: TaskPlace,
        /// The task.
        task: TaskArn,
    },
    /// Tell once more what is known of the watched task. Shows as well that the daemon lives.
    Look {},
    /// Tell all live tasks of this host.
    List {
        /// The asker's [`DAEMON_PROTOCOL`].
        version: u32,
    },
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonReply {
    /// What is known of the watched task.
    Seen(Box<TaskSighting>),
    /// The daemon cannot watch this task; the asker asks ECS itself.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// Live tasks of this host, in as many replies as they need.
    Tasks {
        /// How long ago all of them were listed; `None`: not yet.
        listed_ms_ago: Option<u64>,
        /// The tasks.
        tasks: Vec<ListedTask>,
        /// Whether these are the last ones.
        is_last: bool,
    },
}

/// A live task of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTask {
    /// Where it is.
    pub place: TaskPlace,
    /// What ECS said last.
    pub seen: ObservedTask,
}

/// What the daemon knows of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSighting {
    /// What ECS said last; `None`: ECS was not asked yet, or does not know it.
    pub seen: Option<ObservedTask>,
    /// Whether ECS was asked since somebody watches the task.
    pub is_looked: bool,
    /// Time since ECS was asked last; if it never was, since somebody watches it. In milliseconds.
    pub age_ms: u64,
}

/// Why a frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DaemonFrameError {
    /// It is longer than any frame.
    #[error("a frame has {0} bytes; the most is {LONGEST_FRAME}")]
    TooLong(usize),
    /// It is no message that this version knows.
    #[error("a frame is no message of this version")]
    Unknown(#[source] serde_json::Error),
}

/// The bytes of a message.
///
/// # Errors
///
/// [`DaemonFrameError`] if it is too long.
pub fn frame(message: &impl Serialize) -> Result<Vec<u8>, DaemonFrameError> {
    let mut bytes = vec![0; HEAD];
    serde_json::to_writer(&mut bytes, message).map_err(DaemonFrameError::Unknown)?;
    let length = bytes.len() - HEAD;
    match u32::try_from(length) {
        Ok(head) if length <= LONGEST_FRAME => bytes[..HEAD].copy_from_slice(&head.to_be_bytes()),
        _ => return Err(DaemonFrameError::TooLong(length)),
    }
    Ok(bytes)
}

/// Bytes that were received, until they are whole frames.
#[derive(Debug, Default)]
pub struct FrameBuffer(Vec<u8>);

impl FrameBuffer {
    /// Takes what was received.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next message, once all of it is there; the longest that is accepted has `most` bytes.
    ///
    /// # Errors
    ///
    /// [`DaemonFrameError`] if what was received is no message. Then the connection is of no use any more.
    pub fn next<T: DeserializeOwned>(
        &mut self,
        most: usize,
    ) -> Result<Option<T>, DaemonFrameError> {
        let Some(head) = self.0.first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > most {
            return Err(DaemonFrameError::TooLong(length));
        }
        let Some(body) = self.0.get(HEAD..HEAD + length) else { return Ok(None) };
        let message = serde_json::from_slice(body).map_err(DaemonFrameError::Unknown)?;
        self.0.drain(..HEAD + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_model::task::TaskStatus;

    #[test]
    fn a_message_survives_the_wire_however_it_is_cut() {
        let seen = Some(crate::task::example(TaskStatus::Pending));
        let reply = DaemonReply::Seen(Box::new(TaskSighting { seen, is_looked: true, age_ms: 7 }));
        let bytes = [frame(&reply).unwrap(), frame(&reply).unwrap()].concat();
        for cut in 1..40 {
            let (mut buffer, mut heard) = (FrameBuffer::default(), Vec::new());
            for piece in bytes.chunks(cut) {
                buffer.add(piece);
                while let Some(one) = buffer.next::<DaemonReply>(LONGEST_FRAME).unwrap() {
                    heard.push(one);
                }
            }
            assert_eq!(heard, [reply.clone(), reply.clone()]);
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
        let mut buffer = FrameBuffer::default();
        buffer.add(&[0, 0, 16, 1]);
        assert!(matches!(buffer.next::<DaemonRequest>(4096), Err(DaemonFrameError::TooLong(4097))));
        let mut buffer = FrameBuffer::default();
        buffer.add(&[0, 0, 0, 2, b'[', b'}']);
        assert!(matches!(buffer.next::<DaemonRequest>(4096), Err(DaemonFrameError::Unknown(_))));
    }
}
