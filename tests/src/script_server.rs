//! A Python script that answers each line of its standard input by one line of JSON.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::wait::PATIENCE;

/// The running script. It ends with this value.
#[derive(Debug)]
pub struct ScriptServer {
    _process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl ScriptServer {
    /// Starts a script of this package, named by its path in it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(python: &Path, script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(python);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script)).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("it was installed");
        let orders = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { _process: process, orders, answers }
    }

    /// What it answers to this line.
    ///
    /// # Panics
    ///
    /// If it ends instead, if its answer is no JSON, or if there is none within six times [`PATIENCE`].
    pub async fn ask(&mut self, line: &str) -> Value {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.expect("it lives");
        let answer = timeout(6 * PATIENCE, self.answers.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("{line}: no answer in time"));
        serde_json::from_str(&answer.expect("a pipe").expect("it answers")).expect("JSON")
    }
}
