//! Questions to a Docker Engine at its socket. It only reads.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for the engine's answer.
const ENGINE_TIME: Duration = Duration::from_secs(20);
/// Largest answer that is read.
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;

/// The JSON that the engine answers at `path`.
///
/// # Errors
///
/// What kept the engine from answering.
pub(crate) fn ask_engine(socket: &Path, path: &str) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ENGINE_TIME))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Ok(serde_json::from_str(body)?)
}
