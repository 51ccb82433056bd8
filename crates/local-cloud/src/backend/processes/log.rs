//! Reads the output of processes until its end, so that a container never blocks on its output.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::backend::container_log::ContainerLog;

/// How long readers may take when the cloud ends. All containers have ended by then.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// The readers of one cloud.
#[derive(Default)]
pub struct LogReaders {
    readers: Mutex<JoinSet<()>>,
}

impl LogReaders {
    /// Copies `output` to a log. The receiver hears when all of it is written.
    pub fn keep(&self, output: PipeReader, log: ContainerLog) -> io::Result<oneshot::Receiver<()>> {
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(output))?;
        let (done, logged) = oneshot::channel();
        let mut readers = self.readers.lock().expect("no one panics while holding the readers");
        while readers.try_join_next().is_some() {}
        readers.spawn(async move {
            copy(output, log).await;
            // An error means that nobody waits for it.
            let _ = done.send(());
        });
        Ok(logged)
    }

    /// Waits for the readers, and stops those that still wait for output after the deadline.
    pub async fn close(&self) {
        let mut readers = {
            let mut readers = self.readers.lock().expect("no one panics while holding the readers");
            std::mem::take(&mut *readers)
        };
        let all = async { while readers.join_next().await.is_some() {} };
        if timeout(CLOSE_DEADLINE, all).await.is_err() {
            readers.shutdown().await;
        }
    }
}

async fn copy(mut output: pipe::Receiver, mut log: ContainerLog) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = output.read(&mut buffer).await;
        match read.unwrap_or_default() {
            0 => return log.end(),
            count => log.write(&buffer[..count]),
        }
    }
}
