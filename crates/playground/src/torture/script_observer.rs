//! Hears from the scripts themselves, past everything that is tortured: each says over a connection
//! of its own that it started, and how it is about to end.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest that one line takes to come, and its longest length in bytes.
const LINE: (Duration, u64) = (Duration::from_secs(5), 64);

/// Of no job: their numbers begin with 1.
const MARK: &str = "0 started";
/// Between two looks whether it was heard.
const AGAIN: Duration = Duration::from_millis(5);

/// What the scripts of one job said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptReport {
    /// How often one has started.
    pub starts: usize,
    /// The status with which the last one was about to end.
    pub ended: Option<i32>,
    /// Whether one was told to end, and was about to end with 0 without having done its work.
    pub saved: bool,
}

type SharedScriptReports = Arc<Mutex<BTreeMap<u64, ScriptReport>>>;

/// See the module.
pub struct ScriptObserver {
    port: u16,
    told: SharedScriptReports,
    listening: JoinHandle<()>,
}

impl ScriptObserver {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let told = SharedScriptReports::default();
        let listening = tokio::spawn(listen(listener, told.clone()));
        Ok(Self { port, told, listening })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the scripts of job `id` said so far.
    #[must_use]
    pub fn of(&self, id: u64) -> ScriptReport {
        lock(&self.told).get(&id).copied().unwrap_or_default()
    }

    /// Returns once everything that was said so far is heard: what is said last is heard last.
    pub async fn all_heard(&self) {
        let heard = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(MARK.as_bytes()).await?;
            drop(stream);
            while self.of(0).starts == 0 {
                tokio::time::sleep(AGAIN).await;
            }
            lock(&self.told).remove(&0);
            io::Result::Ok(())
        };
        // Who cannot be heard is missed by the oracle.
        let _ = timeout(LINE.0, heard).await;
    }

    /// Listens no more.
    pub async fn close(self) {
        self.listening.abort();
        // The only way to fail is the abort itself.
        let _ = self.listening.await;
    }
}

fn lock(told: &SharedScriptReports) -> MutexGuard<'_, BTreeMap<u64, ScriptReport>> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, told: SharedScriptReports) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // A script that was killed in the middle of its line has said nothing.
        if let Ok(Ok(line)) = timeout(LINE.0, line(stream)).await {
            note(&mut lock(&told), &line);
        }
    }
}

async fn line(stream: TcpStream) -> io::Result<String> {
    let mut line = String::new();
    stream.take(LINE.1).read_to_string(&mut line).await?;
    Ok(line)
}

/// `ID started`, `ID saved` or `ID ended STATUS`.
fn note(told: &mut BTreeMap<u64, ScriptReport>, line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    let Some(Ok(id)) = words.first().map(|id| id.parse()) else { return };
    let testimony: &mut ScriptReport = told.entry(id).or_default();
    match words[1..] {
        ["started"] => testimony.starts += 1,
        ["saved"] => testimony.saved = true,
        ["ended", status] => testimony.ended = status.parse().ok(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_job_and_others_are_nothing() {
        let mut told = BTreeMap::new();
        for line in [
            "7 started\n",
            "7 ended 3\n",
            "8 started\n",
            "8 saved\n",
            "",
            "x started",
            "7",
            "7 ended x y",
        ] {
            note(&mut told, line);
        }
        assert_eq!(told[&7], ScriptReport { starts: 1, ended: Some(3), saved: false });
        assert_eq!(told[&8], ScriptReport { starts: 1, ended: None, saved: true });
    }
}
