//! The output of one container. The first [`KEPT_BYTES`] go to a file. The rest is dropped, so that a
//! container never fills the disk. It also goes to the stream of a log driver, whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::container::ContainerPlan;
use crate::services::logs::streams::LogStreamWriter;

/// Bytes of one container's output that are kept.
pub const KEPT_BYTES: usize = 1024 * 1024;

/// Takes the output of one container.
pub struct ContainerLog {
    file: File,
    stream: Option<LogStreamWriter>,
    room: usize,
}

impl ContainerLog {
    /// Makes the file, and opens the stream if there is one.
    pub fn create(path: &Path, stream: Option<LogStreamWriter>) -> io::Result<Self> {
        let file = File::create(path)?;
        if let Some(stream) = &stream {
            stream.open();
        }
        Ok(Self { file, stream, room: KEPT_BYTES })
    }

    /// Takes the next bytes. If the disk is full, log lines are lost, but the task continues.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Some(stream) = &self.stream {
            stream.append(bytes, false);
        }
        let kept = bytes.len().min(self.room);
        let _ = self.file.write_all(&bytes[..kept]);
        if self.room > 0 && kept == self.room {
            let _ = writeln!(self.file, "\n[the rest of the output was dropped]");
        }
        self.room -= kept;
    }

    /// Notes that no more comes.
    pub fn end(&mut self) {
        if let Some(stream) = &self.stream {
            stream.append(&[], true);
        }
    }
}

/// The file for the output of a container. Its folder is made.
pub fn log_path(plan: &ContainerPlan, folder: &Path) -> io::Result<PathBuf> {
    let folder = folder.join("logs").join(&plan.task);
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{}.log", plan.container)))
}
