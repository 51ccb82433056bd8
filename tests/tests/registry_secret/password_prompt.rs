//! The prompt for a password at a real terminal: what is typed is not shown, and the terminal is itself again
//! however the prompt ends.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use fargate_tests::{CheckedHost, PolicyHolder, runner};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Pid, write};
use tokio::process::{Child, Command};

/// A person at the prompt.
struct PromptedPerson {
    host: CheckedHost,
    command: Child,
    keyboard: OwnedFd,
    terminal: OwnedFd,
}

impl PromptedPerson {
    /// Starts the command, and waits for its question.
    async fn at_the_prompt() -> Self {
        let host = CheckedHost::open().await;
        host.set("profile.private.image", "registry.invalid/team/ci:1");
        host.set("profile.private.registry_secret", "ci/registry");
        let pair = openpty(None, None).expect("a terminal");
        let end = || pair.slave.try_clone().expect("a free file descriptor");
        let command = Command::new(runner())
            .arg("--config")
            .arg(host.config())
            .args(["--profile", "private", "registry-secret", "set", "ci"])
            .env_clear()
            .envs(host.environment_of(PolicyHolder::Infrastructure, &host.config()))
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .expect("a program that can be started");
        let screen = pair.master.try_clone().expect("a free file descriptor");
        let asked = tokio::task::spawn_blocking(move || read_until(screen, "it is not shown"));
        assert!(asked.await.expect("the reader ends"), "the command asks for the password");
        Self { host, command, keyboard: pair.master, terminal: pair.slave }
    }

    /// Whether the terminal shows what is typed.
    fn has_echo(&self) -> bool {
        let settings = tcgetattr(self.terminal.as_fd()).expect("a terminal");
        settings.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Waits until the command has ended by itself, having written nothing.
    async fn ends_without_a_secret(mut self) {
        let status = self.command.wait().await.expect("the end of the command");
        assert!(status.code().is_some_and(|code| code != 0), "{status}");
        assert!(self.has_echo(), "the terminal is as before");
        assert_eq!(self.host.calls("CreateSecret"), 0);
        self.host.close().await;
    }
}

fn read_until(screen: OwnedFd, words: &str) -> bool {
    let (mut screen, mut shown) = (File::from(screen), Vec::new());
    let mut some = [0; 256];
    while let Ok(length @ 1..) = screen.read(&mut some) {
        shown.extend(&some[..length]);
        if String::from_utf8_lossy(&shown).contains(words) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_signal_at_the_prompt_ends_it_and_gives_the_terminal_its_echo_back() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let person = PromptedPerson::at_the_prompt().await;
        assert!(!person.has_echo(), "the password is not shown");
        let pid = person.command.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
        kill(Pid::from_raw(pid), signal).expect("a process of ours");
        person.ends_without_a_secret().await;
    }
}

#[tokio::test]
async fn ctrl_c_at_the_prompt_writes_nothing() {
    let person = PromptedPerson::at_the_prompt().await;
    write(person.keyboard.as_fd(), b"half a password\x03").expect("a terminal that is open");
    person.ends_without_a_secret().await;
}
