//! How a process of this host talks to the host's daemon: the messages, their frames, and the client's side of
//! the socket in the state folder.
//!
//! Nobody depends on the daemon. Whoever asks it gives up after [`ANSWER_TIME`] and asks ECS. What the daemon
//! knows and does is the matter of `fargate_controller`.

mod daemon_link;
mod daemon_message;

pub use daemon_link::{ANSWER_TIME, DaemonLink, DaemonLinkError, SOCKET, socket_path};
pub use daemon_message::{
    DAEMON_PROTOCOL, DaemonFrameError, DaemonReply, DaemonRequest, FrameBuffer, LONGEST_FRAME,
    ListedTask, TaskPlace, TaskSighting, frame,
};
