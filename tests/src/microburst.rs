//! `microburst`, a proxy that others wrote. It injects faults in the wire format of AWS between the product
//! and a cloud, and reports what it injected. Its rules have a language of their own.

use std::fs;
use std::future::ready;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::place::free_place;
use crate::python::python;
use crate::wait::{PATIENCE, until, until_found};

/// Longest answer that is read, in bytes.
const ANSWER: u64 = 4 * 1024 * 1024;

/// The operation of the first call that it sees.
const WARM_UP: &str = "ListClusters";

/// A proxy before one endpoint. It ends with this value.
pub struct MicroburstProxy {
    address: SocketAddr,
    _process: Child,
    _folder: TempDir,
}

/// One injected fault, as its log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicroburstFault {
    /// ECS's operation.
    pub operation: String,
    /// For example `error:ThrottlingException`.
    pub action: String,
}

impl MicroburstProxy {
    /// Starts it before `endpoint` with these rules. `None` if it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn before(endpoint: &str, mut rules: Vec<Value>) -> Option<Self> {
        let python = python()?;
        // It takes no port 0.
        let address = free_place();
        // It answers its first call itself, because the cloud may run in this thread.
        let own = json!({ "code": "ServerException", "status": 500 });
        rules.insert(0, json!({ "service": "ecs", "operation": WARM_UP, "error": own }));
        // JSON is YAML.
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("microburst.yml");
        fs::write(&config, json!({ "rules": rules }).to_string()).expect("a writable folder");
        let mut command = Command::new(python);
        command
            .args([
                "-m",
                "microburst",
                "--host",
                &address.ip().to_string(),
                "--port",
                &address.port().to_string(),
            ])
            // The signature covers the name of the host.
            .args(["--upstream", endpoint.trim_end_matches('/'), "--resign", "--config"])
            .arg(&config)
            .env_clear()
            .envs(["PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let process = command.spawn().expect("just installed");
        let proxy = Self { address, _process: process, _folder: folder };
        until("microburst answers", || proxy.get("health").is_ok()).await;
        // At its first call it reads the models of ECS, which takes seconds on a busy machine.
        until_found("it knows ECS", || ready(proxy.warm_up())).await;
        Some(proxy)
    }

    /// The endpoint that clients are given.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every fault that it has injected into calls of the product.
    ///
    /// # Panics
    ///
    /// If it does not answer in its own form.
    #[must_use]
    pub fn fired(&self) -> Vec<MicroburstFault> {
        let text = self.get("fired?limit=2000").expect("it answers");
        let events: Vec<Value> = serde_json::from_str(&text).expect("a list of events");
        let word = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let event = |event: &Value| MicroburstFault {
            operation: word(event, "operation"),
            action: word(event, "action"),
        };
        let fired = events.iter().map(event);
        fired.filter(|fired| fired.operation != WARM_UP).collect()
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

    /// From now on it only passes calls on.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn inject_no_more(&self) {
        let request = "DELETE /_microburst/rules HTTP/1.0\r\nHost: microburst\r\n\
                       Content-Length: 2\r\n\r\n[]";
        let answer = self.ask(request).expect("it answers");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let request = format!("GET /_microburst/{path} HTTP/1.0\r\nHost: microburst\r\n\r\n");
        let answer = self.ask(&request)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.to_owned()),
            _ => Err(io::Error::other(answer)),
        }
    }

    /// A call of ECS that nobody else makes here.
    fn warm_up(&self) -> Result<(), String> {
        let request = format!(
            "POST / HTTP/1.0\r\nHost: microburst\r\nContent-Length: 2\r\n\
             Content-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AmazonEC2ContainerServiceV20141113.{WARM_UP}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ecs/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{{}}",
        );
        match self.ask(&request) {
            Ok(answer) if answer.starts_with("HTTP/1.0 500") => Ok(()),
            Ok(answer) => Err(answer),
            Err(error) => Err(error.to_string()),
        }
    }

    fn ask(&self, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER).read_to_string(&mut answer)?;
        Ok(answer)
    }
}
