//! One connection to the daemon of this host.
//!
//! The other side must run as this user or as root, whatever stands in the place of the socket. The folder is
//! opened first and the socket is found in it, so that a path of any length works and no link leads elsewhere
//! after the folder was judged.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fargate_files::{is_trusted_owner, others_may_write};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::daemon_message::{
    DaemonFrameError, DaemonReply, DaemonRequest, FrameBuffer, LONGEST_FRAME, frame,
};

/// Time for the daemon to accept a connection, and for each answer. Whoever asks does without it after that.
pub const ANSWER_TIME: Duration = Duration::from_millis(100);
/// The socket in the state folder.
pub const SOCKET: &str = "daemon.sock";

/// Why the daemon is of no use.
#[derive(Debug, thiserror::Error)]
pub enum DaemonLinkError {
    /// There is none, or it went away.
    #[error("connecting to the daemon of this host")]
    Gone(#[source] io::Error),
    /// Another user may have put something in its place.
    #[error("the socket of the daemon belongs to another user")]
    Stranger,
    /// It did not answer within [`ANSWER_TIME`].
    #[error("the daemon did not answer within {} ms", ANSWER_TIME.as_millis())]
    Late,
    /// Its answer makes no sense.
    #[error("reading the daemon's answer")]
    Odd(#[from] DaemonFrameError),
}

/// A connection.
#[derive(Debug)]
pub struct DaemonLink {
    stream: UnixStream,
    received: FrameBuffer,
}

/// The path by which the socket in `folder` is reached, for as long as `folder` is open: it is short, however
/// long the folder's own path is.
#[must_use]
pub fn socket_path(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))
}

impl DaemonLink {
    /// Connects to the daemon of the host with this state folder.
    ///
    /// # Errors
    ///
    /// [`DaemonLinkError`] if there is no daemon that is to be trusted.
    pub async fn open(state_dir: &Path) -> Result<Self, DaemonLinkError> {
        let folder = File::open(state_dir).map_err(DaemonLinkError::Gone)?;
        let about = folder.metadata().map_err(DaemonLinkError::Gone)?;
        if !is_trusted_owner(about.uid()) || others_may_write(&about) {
            return Err(DaemonLinkError::Stranger);
        }
        let connected = timeout(ANSWER_TIME, UnixStream::connect(socket_path(&folder))).await;
        let stream =
            connected.map_err(|_| DaemonLinkError::Late)?.map_err(DaemonLinkError::Gone)?;
        let peer = stream.peer_cred().map_err(DaemonLinkError::Gone)?;
        if !is_trusted_owner(peer.uid()) {
            return Err(DaemonLinkError::Stranger);
        }
        Ok(Self { stream, received: FrameBuffer::default() })
    }

    /// Asks, and returns the first answer.
    ///
    /// # Errors
    ///
    /// [`DaemonLinkError`] if there is no answer in time. Then the connection is of no use any more.
    pub async fn ask(&mut self, request: &DaemonRequest) -> Result<DaemonReply, DaemonLinkError> {
        let asked = async {
            self.send(&frame(request)?).await.map_err(DaemonLinkError::Gone)?;
            self.next().await
        };
        timeout(ANSWER_TIME, asked).await.unwrap_or(Err(DaemonLinkError::Late))
    }

    /// What the daemon tells next. A wait that is given up loses nothing.
    ///
    /// # Errors
    ///
    /// [`DaemonLinkError`] if the daemon is gone.
    pub async fn next(&mut self) -> Result<DaemonReply, DaemonLinkError> {
        loop {
            if let Some(reply) = self.received.next(LONGEST_FRAME)? {
                return Ok(reply);
            }
            self.stream.readable().await.map_err(DaemonLinkError::Gone)?;
            let mut piece = [0; 16 * 1024];
            match self.stream.try_read(&mut piece) {
                Ok(0) => {
                    return Err(DaemonLinkError::Gone(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(n) => self.received.add(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(DaemonLinkError::Gone(error)),
            }
        }
    }

    async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
