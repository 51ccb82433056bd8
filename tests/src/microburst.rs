//! `microburst`, a proxy that others wrote: it injects faults in AWS's own wire format between the
//! product and a cloud, and tells what it injected. Its rules are its own language.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::python::python;
use crate::wait::{PATIENCE, until};

/// Longest answer that is read, in bytes.
const ANSWER: u64 = 4 * 1024 * 1024;

/// A proxy before one endpoint. It ends with this value.
pub struct Microburst {
    address: SocketAddr,
    _process: Child,
}

/// One injected fault, as its log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// ECS's operation.
    pub operation: String,
    /// For example `error:ThrottlingException`.
    pub action: String,
}

impl Microburst {
    /// Starts it before `endpoint` with these rules, its files in `folder`; `None` where it cannot be
    /// had.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn before(endpoint: &str, folder: &Path, rules: Value) -> Option<Self> {
        let python = python()?;
        // It takes no port 0.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("a bound socket");
        drop(free);
        // JSON is YAML.
        let config = folder.join("microburst.yml");
        fs::write(&config, json!({ "rules": rules }).to_string()).expect("a writable folder");
        let log = fs::File::create(folder.join("microburst.log")).expect("a writable folder");
        let mut command = Command::new(python);
        command
            .args([
                "-m",
                "microburst",
                "--host",
                "127.0.0.1",
                "--port",
                &address.port().to_string(),
            ])
            // The name of the host is part of what is signed.
            .args(["--upstream", endpoint.trim_end_matches('/'), "--resign", "--config"])
            .arg(&config)
            .env_clear()
            .envs(["PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let process = command.spawn().expect("just installed");
        let proxy = Self { address, _process: process };
        until("microburst answers", || proxy.get("health").is_ok()).await;
        Some(proxy)
    }

    /// The endpoint that clients are given.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every fault that it has injected.
    ///
    /// # Panics
    ///
    /// If it does not answer in its own form.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        let text = self.get("fired?limit=2000").expect("it answers");
        let events: Vec<Value> = serde_json::from_str(&text).expect("a list of events");
        let word = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let event = |event: &Value| Fired {
            operation: word(event, "operation"),
            action: word(event, "action"),
        };
        events.iter().map(event).collect()
    }

    /// One of its counters, over all labels.
    ///
    /// # Panics
    ///
    /// If it does not answer in Prometheus's form.
    #[must_use]
    pub fn counter(&self, name: &str) -> usize {
        let text = self.get("metrics").expect("it answers");
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /_microburst/{path} HTTP/1.0\r\nHost: microburst\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(ANSWER).read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.to_owned()),
            _ => Err(io::Error::other(answer)),
        }
    }
}
