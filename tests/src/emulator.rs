//! ministack, an ECS emulator that others wrote, without a Docker Engine: it registers and describes, and
//! starts no task.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::neighbour::skip;
use crate::place::free_place;
use crate::wait::until_found;

/// A running emulator. It ends with this value.
#[derive(Debug)]
pub struct EcsEmulator {
    process: Child,
    endpoint: String,
    _folder: TempDir,
}

impl EcsEmulator {
    /// Installs it where it is missing, and starts it; `None` after saying why it cannot be had here.
    ///
    /// # Panics
    ///
    /// In CI, with that reason; and if it does not answer in time.
    pub async fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = Command::new(root.join("containers/install.sh")).arg("python").output();
        let why = match installed {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            skip(&format!("tests/containers/install.sh: {why}"));
            return None;
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::PathBuf::from);
        let target = target.unwrap_or_else(|| root.join("../target"));
        let place = free_place();
        let folder = tempfile::tempdir().expect("a folder");
        let process = Command::new(target.join("ministack/bin/ministack"))
            .env("BIND_HOST", place.ip().to_string())
            .env("GATEWAY_PORT", place.port().to_string())
            .env("MINISTACK_REGION", "eu-west-1")
            .env("LOG_LEVEL", "WARNING")
            .env("TMPDIR", folder.path())
            .env("HOSTNAME", "")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was installed");
        let emulator = Self { process, endpoint: format!("http://{place}"), _folder: folder };
        until_found("ministack", || async {
            TcpStream::connect(place).map(drop).map_err(|error| error.to_string())
        })
        .await;
        Some(emulator)
    }

    /// Where its API answers.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for EcsEmulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
