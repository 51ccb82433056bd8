//! Hears from the scripts themselves, over connections that nothing here breaks: each script says that
//! it started, and how it is about to end.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::accept::next_connection;
use crate::wait::{AGAIN, look_until};

/// Longest time for one line to come, and the largest number of bytes in it.
const LINE: (Duration, u64) = (Duration::from_secs(5), 64);

/// A line of no job: the numbers of jobs begin with 1.
const MARK: &str = "0 started";

/// What the scripts of one job said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptReport {
    /// How often one has started.
    pub starts: usize,
    /// The status with which the last one was about to end.
    pub ended: Option<i32>,
    /// Whether one was told to end, and was about to end with 0 although its work was not done.
    pub saved: bool,
}

type SharedScriptReports = Arc<Mutex<BTreeMap<u64, ScriptReport>>>;

/// Listens for what scripts say, and keeps it by job.
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
    /// If the system gives no port.
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

    /// Returns when everything that scripts have said so far is recorded: the lines are read in order.
    pub async fn all_heard(&self) {
        let said = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(MARK.as_bytes()).await?;
            drop(stream);
            io::Result::Ok(())
        };
        // If the observer cannot be reached, the judge misses what it should have heard.
        if let Ok(Ok(())) = timeout(LINE.0, said).await {
            let heard = async || (self.of(0).starts > 0).then_some(()).ok_or_else(String::new);
            let _ = look_until(LINE.0, AGAIN, heard).await;
            lock(&self.told).remove(&0);
        }
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
        let stream = next_connection(&listener).await;
        // A line that is not whole does not count: the script was killed while it wrote.
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
    let report: &mut ScriptReport = told.entry(id).or_default();
    match words[1..] {
        ["started"] => report.starts += 1,
        ["saved"] => report.saved = true,
        ["ended", status] => report.ended = status.parse().ok(),
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
