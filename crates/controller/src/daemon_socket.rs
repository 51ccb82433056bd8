//! The socket at which the processes of this host ask the daemon: `daemon.sock` in the state folder, for this
//! user and root alone.
//!
//! It tells what the watch knows. It asks ECS nothing, and changes nothing.

use std::fs::{File, Permissions, remove_file, rename, set_permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fargate_driver::daemon::{
    DAEMON_PROTOCOL, DaemonReply, DaemonRequest, FrameBuffer, ListedTask, SOCKET, TaskPlace, frame,
    socket_path,
};
use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskArn;
use fargate_state::{is_trusted_owner, others_may_write};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::host_watch::{HostWatch, TaskSubscription};

/// Most connections. Ours: each job that starts has one.
const MOST_CONNECTIONS: usize = 4096;
/// Most bytes of a request.
const LONGEST_REQUEST: usize = 4096;
/// Time for the first request of a connection, and for each answer to be taken.
const PEER_TIME: Duration = Duration::from_secs(2);
/// Pause after the operating system refused to accept a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Tasks of one reply: some hundred kilobytes.
const TASKS_OF_REPLY: usize = 100;
/// Longest ARN of a task.
const LONGEST_ARN: usize = 512;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum DaemonSocketError {
    /// The operating system refused.
    #[error("{doing} {}", path.display())]
    Disk {
        /// What the process was doing.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// Others may have put something in its place.
    #[error("not using {}: other users may write to it; `chmod go-w {}` mends that", path.display(), path.display())]
    Distrusted {
        /// The folder.
        path: PathBuf,
    },
    /// Something else stands in its place.
    #[error("{} is no socket; remove it", path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
    },
}

/// The socket, which is removed at the end.
#[derive(Debug)]
pub struct DaemonSocket {
    listener: UnixListener,
    folder: File,
    inode: u64,
}

impl Drop for DaemonSocket {
    fn drop(&mut self) {
        let path = socket_path(&self.folder);
        if path.symlink_metadata().is_ok_and(|about| about.ino() == self.inode) {
            // A socket that stays refuses connections, and the next daemon replaces it.
            let _ = remove_file(path);
        }
    }
}

impl DaemonSocket {
    /// Listens in this state folder, in place of what an earlier daemon left. Call it with the lock of the only
    /// daemon held.
    ///
    /// # Errors
    ///
    /// [`DaemonSocketError`] if the folder or what stands in it cannot be used.
    pub fn bind(state_dir: &Path) -> Result<Self, DaemonSocketError> {
        let disk = |doing| {
            move |source| DaemonSocketError::Disk { doing, path: state_dir.to_owned(), source }
        };
        let folder = File::open(state_dir).map_err(disk("opening the state folder"))?;
        let about = folder.metadata().map_err(disk("reading the state folder"))?;
        if !is_trusted_owner(about.uid()) || others_may_write(&about) {
            return Err(DaemonSocketError::Distrusted { path: state_dir.to_owned() });
        }
        let path = socket_path(&folder);
        if path.symlink_metadata().is_ok_and(|about| !about.file_type().is_socket()) {
            return Err(DaemonSocketError::Occupied { path: state_dir.join(SOCKET) });
        }
        // It appears under its name once it listens and nobody else may connect.
        let new = path.with_extension("new");
        let _ = remove_file(&new);
        let listener = UnixListener::bind(&new).map_err(disk("making the daemon's socket in"))?;
        let private = set_permissions(&new, Permissions::from_mode(0o600));
        private.map_err(disk("closing the daemon's socket to others in"))?;
        let about = new.symlink_metadata().map_err(disk("reading the daemon's socket in"))?;
        rename(&new, &path).map_err(disk("naming the daemon's socket in"))?;
        Ok(Self { listener, folder, inode: about.ino() })
    }

    /// Answers until it is dropped. `places` are the clusters that are watched now.
    pub async fn answer(&self, watch: HostWatch, places: Receiver<Vec<TaskPlace>>) {
        let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((stream, _)) = accepted else {
                sleep(ACCEPT_AGAIN).await;
                continue;
            };
            // Whoever finds no place asks ECS itself.
            let Ok(place) = Arc::clone(&free).try_acquire_owned() else { continue };
            let (watch, places) = (watch.clone(), places.clone());
            connections.spawn(async move {
                let mut connection = DaemonConnection { stream, received: FrameBuffer::default() };
                // However it ends, the other side sees the end of the connection.
                let _ = connection.serve(&watch, &places).await;
                drop(place);
            });
        }
    }
}

/// One process that asks.
struct DaemonConnection {
    stream: UnixStream,
    received: FrameBuffer,
}

impl DaemonConnection {
    async fn serve(
        &mut self,
        watch: &HostWatch,
        places: &Receiver<Vec<TaskPlace>>,
    ) -> io::Result<()> {
        if !is_trusted_owner(self.stream.peer_cred()?.uid()) {
            return Ok(());
        }
        let first = timeout(PEER_TIME, self.request()).await??;
        match first {
            DaemonRequest::Watch { version, .. } | DaemonRequest::List { version }
                if version != DAEMON_PROTOCOL =>
            {
                self.refuse(&format!("this daemon speaks version {DAEMON_PROTOCOL}")).await
            }
            DaemonRequest::Look {} => self.refuse("nothing is watched").await,
            DaemonRequest::List { .. } => self.tell_all(watch).await,
            DaemonRequest::Watch { place, task, .. } => {
                if !places.borrow().contains(&place) || !is_task_of(&task, &place) {
                    return self.refuse("no profile of this daemon has this cluster").await;
                }
                match watch.subscribe(&place, &task) {
                    Some(subscription) => self.tell_news(subscription).await,
                    None => self.refuse("too many tasks are watched").await,
                }
            }
        }
    }

    async fn tell_all(&mut self, watch: &HostWatch) -> io::Result<()> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let listed_ms_ago = watch.listed().map(millis);
        let tasks = watch.tasks();
        let all = tasks.into_iter().map(|task| ListedTask { place: task.place, seen: task.seen });
        let all: Vec<ListedTask> = all.collect();
        for some in all.chunks(TASKS_OF_REPLY) {
            let tasks = some.to_vec();
            self.send(&DaemonReply::Tasks { listed_ms_ago, tasks, is_last: false }).await?;
        }
        self.send(&DaemonReply::Tasks { listed_ms_ago, tasks: Vec::new(), is_last: true }).await
    }

    async fn tell_news(&mut self, mut subscription: TaskSubscription) -> io::Result<()> {
        loop {
            self.send(&DaemonReply::Seen(Box::new(subscription.sighting()))).await?;
            tokio::select! {
                () = subscription.changed() => {}
                asked = self.request() => match asked? {
                    DaemonRequest::Look {} => {}
                    DaemonRequest::Watch { .. } | DaemonRequest::List { .. } => {
                        return self.refuse("a task is watched already").await;
                    }
                },
            }
        }
    }

    /// The next request. Nothing is lost if the wait is given up.
    async fn request(&mut self) -> io::Result<DaemonRequest> {
        loop {
            let next = self.received.next(LONGEST_REQUEST);
            if let Some(request) = next.map_err(io::Error::other)? {
                return Ok(request);
            }
            self.stream.readable().await?;
            let mut piece = [0; 1024];
            match self.stream.try_read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.received.add(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn refuse(&mut self, why: &str) -> io::Result<()> {
        self.send(&DaemonReply::Refused { why: why.to_owned() }).await
    }

    async fn send(&mut self, reply: &DaemonReply) -> io::Result<()> {
        let bytes = frame(reply).map_err(io::Error::other)?;
        timeout(PEER_TIME, self.stream.write_all(&bytes)).await?
    }
}

/// Whether this can be a task of that place, so that a call about it and others is not refused for its sake.
fn is_task_of(task: &TaskArn, place: &TaskPlace) -> bool {
    let mut parts = task.0.splitn(6, ':');
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let head = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some("arn"), Some(partition), Some("ecs"), Some(region), Some(account)] = head else {
        return false;
    };
    let mut path = parts.next().unwrap_or_default().split('/');
    let (kind, id) = (path.next(), path.next_back());
    let is_of_cluster = path.next().is_none_or(|cluster| cluster == place.cluster);
    task.0.len() <= LONGEST_ARN
        && is_plain(partition)
        && region == place.region
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && kind == Some("task")
        && is_of_cluster
        && path.next().is_none()
        && id.is_some_and(is_plain)
}

/// Tells the log that there is no socket. Drivers ask ECS themselves.
pub fn tell_no_socket(error: &DaemonSocketError) {
    emit(JobEvent::DaemonSocketFailed { message: fargate_model::text::error_chain(error) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_task_of_the_cluster_is_asked_about() {
        let place = TaskPlace {
            region: "eu-west-1".to_owned(),
            cluster: "ci".to_owned(),
            ..TaskPlace::default()
        };
        let is = |arn: &str| is_task_of(&TaskArn(arn.to_owned()), &place);
        assert!(is("arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f"));
        assert!(is("arn:aws-cn:ecs:eu-west-1:123456789012:task/5a7c1e90d1f24f0f"));
        for odd in [
            "",
            "arn:aws:ecs:eu-west-2:123456789012:task/ci/5a7c",
            "arn:aws:ecs:eu-west-1:123456789012:task/other/5a7c",
            "arn:aws:ecs:eu-west-1:123456789012:task/ci/x/5a7c",
            "arn:aws:ecs:eu-west-1:123456789012:task/ci/",
            "arn:aws:ecs:eu-west-1:123456789012:task/ci/a b",
            "arn:aws:ecs:eu-west-1:12345678901:task/ci/5a7c",
            "arn:aws:ecs:eu-west-1:123456789012:service/ci/5a7c",
            "arn:aws:s3:eu-west-1:123456789012:task/ci/5a7c",
        ] {
            assert!(!is(odd), "{odd}");
        }
    }

    #[tokio::test]
    async fn the_socket_is_private_and_takes_the_place_of_a_dead_one_only() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(SOCKET);
        std::fs::write(&path, "").unwrap();
        let occupied = DaemonSocket::bind(root.path());
        assert!(matches!(occupied, Err(DaemonSocketError::Occupied { .. })), "{occupied:?}");
        remove_file(&path).unwrap();
        let dead = DaemonSocket::bind(root.path()).unwrap();
        let live = DaemonSocket::bind(root.path()).unwrap();
        // The first one is not the owner of the name any more.
        drop(dead);
        assert_eq!(path.symlink_metadata().unwrap().mode() & 0o777, 0o600);
        drop(live);
        assert!(path.symlink_metadata().is_err());
        set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        let open = DaemonSocket::bind(root.path());
        assert!(matches!(open, Err(DaemonSocketError::Distrusted { .. })), "{open:?}");
    }
}
