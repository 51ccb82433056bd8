//! The output of containers. The first [`KEPT_BYTES`] go to a file. The rest is read and dropped, so that
//! a container never blocks on its output and never fills the disk.

use std::fs::File;
use std::io::{self, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::services::logs::streams::LogStreamWriter;

/// Bytes of one container's output that are kept.
pub const KEPT_BYTES: usize = 1024 * 1024;
/// How long readers may take when the cloud ends. All containers have ended by then.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// The readers of one cloud.
#[derive(Default)]
pub struct LogReaders {
    readers: Mutex<JoinSet<()>>,
}

impl LogReaders {
    /// Copies `output` to a file and to a stream. The receiver hears when all of it is written.
    pub fn keep(
        &self,
        output: PipeReader,
        path: &Path,
        stream: Option<LogStreamWriter>,
    ) -> io::Result<oneshot::Receiver<()>> {
        let file = File::create(path)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(output))?;
        let (done, logged) = oneshot::channel();
        let mut readers = self.readers.lock().expect("no one panics while holding the readers");
        while readers.try_join_next().is_some() {}
        readers.spawn(async move {
            copy(output, file, stream.as_ref()).await;
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

/// If the disk is full, log lines are lost, but the task continues.
async fn copy(mut output: pipe::Receiver, mut file: File, stream: Option<&LogStreamWriter>) {
    let mut room = KEPT_BYTES;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = output.read(&mut buffer).await;
        let count = read.unwrap_or_default();
        if let Some(stream) = stream {
            stream.append(&buffer[..count], count == 0);
        }
        if count == 0 {
            return;
        }
        let kept = count.min(room);
        let _ = file.write_all(&buffer[..kept]);
        if room > 0 && kept == room {
            let _ = writeln!(file, "\n[the rest of the output was dropped]");
        }
        room -= kept;
    }
}
