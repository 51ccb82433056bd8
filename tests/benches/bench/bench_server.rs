//! A `fargate-runner serve` that a bench starts, asks and ends.

use std::error::Error;
use std::io::BufRead;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fargate_playground::wait::look_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::{peak_resident, resident};

/// How long a server may take until it has its history.
const READY_TIME: Duration = Duration::from_secs(60);
/// Between two looks at something that will change.
const LOOK: Duration = Duration::from_millis(100);

/// A server that ends with this value.
pub struct BenchServer {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl BenchServer {
    /// Starts `command`, to which the words of `serve` are added, and reads the address that it tells.
    pub fn start(mut command: Command) -> Result<Self, Box<dyn Error>> {
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        let stdout = process.stdout.take().ok_or("no stdout")?;
        std::io::BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').parse()?;
        Ok(Self { process, address })
    }

    /// Waits until it has its history.
    pub async fn ready(&self) -> Result<(), Box<dyn Error>> {
        self.until("the history", READY_TIME, "/health/ready", |answer| answer.status == 200).await
    }

    /// Asks for `path` until the answer `is` as wanted; `what` names it where it does not come.
    pub async fn until(
        &self,
        what: &str,
        within: Duration,
        path: &str,
        is: impl Fn(&BenchAnswer) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        let seen = look_until(within, LOOK, async || {
            let answer = self.ask(path).await.map_err(|error| error.to_string())?;
            if is(&answer) { Ok(()) } else { Err(answer.body.chars().take(500).collect()) }
        });
        let missed = |says| format!("waited {within:?} for {what}; {path} says {says}").into();
        seen.await.map_err(missed)
    }

    /// One answer, on a connection of its own.
    pub async fn ask(&self, path: &str) -> Result<BenchAnswer, Box<dyn Error>> {
        let mut stream = TcpStream::connect(self.address).await?;
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head of an answer")?;
        let status = head.get(9..12).unwrap_or_default().parse()?;
        Ok(BenchAnswer { status, body: body.to_owned() })
    }

    /// Its memory now, in KiB.
    pub fn resident_kib(&self) -> u64 {
        resident(self.process.id())
    }

    /// The most memory that it has had, in KiB.
    pub fn peak_kib(&self) -> u64 {
        peak_resident(&[self.process.id()])
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What it answered.
pub struct BenchAnswer {
    /// The status.
    pub status: u16,
    /// What stands after the head.
    pub body: String,
}
