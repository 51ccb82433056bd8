//! What answers in an agent's place behind a real `sshd`, as its subsystem: an agent from before a
//! feature, or one that breaks the protocol in a way that its first argument names.
//!
//! The second argument is a folder, in which it counts the requests and the scripts that it got.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use fargate_protocol::{
    AgentMessage, ClientMessage, FrameDecoder, MAX_CHUNK, RunAcceptance, RunCommand, RunRequest,
    ScriptExit, ScriptStream, encode,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

/// A hello from before agents named their features.
#[derive(Serialize)]
enum OlderHello {
    HelloOk { version: u16, agent: String },
}

type OddAgentResult = Result<(), Box<dyn std::error::Error>>;

struct OddAgent {
    decoder: FrameDecoder,
    folder: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [oddity, folder] = &arguments[..] else { return ExitCode::from(2) };
    let mut peer =
        OddAgent { decoder: FrameDecoder::default(), folder: Path::new(folder).to_owned() };
    // However it ends, the driver sees a conversation that is over.
    let _ = peer.talk(oddity);
    ExitCode::SUCCESS
}

fn say(message: &impl Serialize) -> OddAgentResult {
    let mut stdout = std::io::stdout();
    stdout.write_all(&encode(message)?)?;
    Ok(stdout.flush()?)
}

fn output(offset: u64, bytes: &[u8]) -> OddAgentResult {
    let stream = ScriptStream::Stdout;
    say(&AgentMessage::Output { offset, stream, bytes: bytes.to_vec() })
}

impl OddAgent {
    fn hear(&mut self) -> Result<ClientMessage, Box<dyn std::error::Error>> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(message);
            }
            let mut buffer = [0; 16 * 1024];
            match std::io::stdin().read(&mut buffer)? {
                0 => return Err("the client left".into()),
                n => self.decoder.push(&buffer[..n]),
            }
        }
    }

    fn note(&self, file: &str) -> OddAgentResult {
        let mut file = OpenOptions::new().create(true).append(true).open(self.folder.join(file))?;
        Ok(file.write_all(b"once\n")?)
    }

    fn script(&mut self, run: &RunRequest) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let RunCommand::Script { length, .. } = run.what else { return Err("no script".into()) };
        let mut script = Vec::new();
        while (script.len() as u64) < length {
            if let ClientMessage::Script { bytes } = self.hear()? {
                script.extend(bytes);
            }
        }
        self.note("scripts")?;
        Ok(script)
    }

    fn talk(&mut self, oddity: &str) -> OddAgentResult {
        self.hear()?;
        let agent = "an odd agent".to_owned();
        if oddity == "older" {
            say(&OlderHello::HelloOk { version: 1, agent })?;
        } else {
            let features = vec!["resume".to_owned(), "of-tomorrow".to_owned()];
            let released = Some("no day at all".to_owned());
            say(&AgentMessage::HelloOk {
                version: 1,
                agent,
                proof: None,
                features,
                released,
                unproven: None,
            })?;
        }
        let ClientMessage::Run(run) = self.hear()? else { return Err("no run".into()) };
        if run.resume_from.is_some() {
            self.note("resumed")?;
            return self.come_back(oddity);
        }
        if oddity == "unreading" {
            return until_left();
        }
        let script = self.script(&run)?;
        say(&AgentMessage::Accepted(RunAcceptance::Started))?;
        match oddity {
            "older" => run_it(&script),
            "gap" => output(5, b"later").and_then(|()| self.wait()),
            "other-end" => output(0, b"up\n").and_then(|()| exit(4000)),
            "twice" => {
                say(&AgentMessage::Accepted(RunAcceptance::Started)).and_then(|()| self.wait())
            }
            "long-frame" => raw(&[0xff; 64]).and_then(|()| self.wait()),
            "no-frame" => raw(&[0, 0, 0, 1, 0xc1]).and_then(|()| self.wait()),
            "flood" => flood(),
            // The others answer well once and then leave without a word.
            _ => output(0, b"up\n"),
        }
    }

    fn come_back(&mut self, oddity: &str) -> OddAgentResult {
        match oddity {
            "unreading" => {
                say(&AgentMessage::Accepted(RunAcceptance::Unknown))?;
                return until_left();
            }
            "forgetful" => say(&AgentMessage::Accepted(RunAcceptance::Unknown))?,
            "rewinding" => {
                say(&AgentMessage::Accepted(RunAcceptance::Resumed))?;
                output(0, b"up\n")?;
            }
            "abandoning" => return say(&AgentMessage::Accepted(RunAcceptance::Abandoned)),
            _ => return say(&AgentMessage::Accepted(RunAcceptance::Resumed)),
        }
        self.wait()
    }

    /// Until the client leaves; a script that it sends is counted.
    fn wait(&mut self) -> OddAgentResult {
        loop {
            if let ClientMessage::Run(run) = self.hear()? {
                self.script(&run)?;
            }
        }
    }
}

/// Reads nothing until the client is gone.
fn until_left() -> OddAgentResult {
    let stdout = std::io::stdout();
    let mut gone = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    poll(&mut gone, PollTimeout::NONE)?;
    Ok(())
}

fn exit(offset: u64) -> OddAgentResult {
    say(&AgentMessage::Exit { ending: ScriptExit::Code { code: 0 }, offset, by_itself: false })
}

fn raw(bytes: &[u8]) -> OddAgentResult {
    std::io::stdout().write_all(bytes)?;
    Ok(std::io::stdout().flush()?)
}

/// More and more, whatever was acknowledged.
fn flood() -> OddAgentResult {
    let bytes = vec![b'x'; MAX_CHUNK];
    let mut offset = 0;
    loop {
        output(offset, &bytes)?;
        offset += bytes.len() as u64;
    }
}

/// As an agent does, without a window.
fn run_it(script: &[u8]) -> OddAgentResult {
    let mut child = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("piped")?.write_all(script)?;
    let mut stdout = child.stdout.take().ok_or("piped")?;
    let (mut buffer, mut offset) = ([0; 4096], 0);
    loop {
        let n = stdout.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        output(offset, &buffer[..n])?;
        offset += n as u64;
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    say(&AgentMessage::Exit { ending: ScriptExit::Code { code }, offset, by_itself: false })
}
