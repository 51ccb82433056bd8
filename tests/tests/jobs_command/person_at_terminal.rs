//! A person at a real terminal, in which `fargate-runner` runs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fargate_tests::{CheckedHost, PATIENCE, runner};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Pid, write};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// The person, and all that the terminal has shown.
pub struct PersonAtTerminal {
    command: Child,
    keyboard: OwnedFd,
    terminal: OwnedFd,
    shown: watch::Receiver<Vec<u8>>,
    looks_away: Arc<AtomicBool>,
}

impl PersonAtTerminal {
    /// Starts `fargate-runner` with these arguments in a terminal of 100 columns and 30 lines.
    pub fn starts(site: &CheckedHost, arguments: &[&str]) -> Self {
        Self::starts_in(site, arguments, "xterm-256color", (100, 30))
    }

    /// The same with further variables.
    pub fn starts_with(site: &CheckedHost, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::started(site, arguments, "xterm-256color", (100, 30), variables)
    }

    /// The same in a terminal of this kind, with so many columns and lines.
    pub fn starts_in(site: &CheckedHost, arguments: &[&str], kind: &str, size: (u16, u16)) -> Self {
        Self::started(site, arguments, kind, size, &[])
    }

    fn started(
        site: &CheckedHost,
        arguments: &[&str],
        kind: &str,
        (columns, lines): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let end = || pair.slave.try_clone().expect("a free file descriptor");
        let command = Command::new(runner())
            .arg("-c")
            .arg(site.config())
            .args(arguments)
            .env_clear()
            .envs(site.environment())
            .env("TERM", kind)
            .envs(variables.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .expect("a program that can be started");
        let (sender, shown) = watch::channel(Vec::new());
        let looks_away = Arc::new(AtomicBool::new(false));
        let is_away = Arc::clone(&looks_away);
        let mut screen = File::from(pair.master.try_clone().expect("a free file descriptor"));
        // It ends when the other end of the terminal is closed.
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut some) {
                // Nobody looks again.
                while is_away.load(Ordering::Relaxed) {
                    std::thread::park();
                }
                sender.send_modify(|shown| shown.extend(&some[..length]));
            }
        });
        Self { command, keyboard: pair.master, terminal: pair.slave, shown, looks_away }
    }

    /// Opens a shell in the task of `job` and waits until it reads.
    pub async fn in_shell(site: &CheckedHost, job: &str) -> Self {
        let mut person = Self::starts(site, &["jobs", "shell", job]);
        person.types("PS1=; echo begun-$((40 + 2))\r");
        person.sees("begun-42").await;
        person
    }

    pub fn types(&self, keys: &str) {
        let written = write(self.keyboard.as_fd(), keys.as_bytes()).expect("an open terminal");
        assert_eq!(written, keys.len());
    }

    /// Pastes so much that a terminal cannot hold it, while something reads it.
    pub fn pastes(&self, bytes: Vec<u8>) {
        let mut keyboard = File::from(self.keyboard.try_clone().expect("a free file descriptor"));
        // It ends when everything is read, or when the terminal is gone.
        std::thread::spawn(move || keyboard.write_all(&bytes));
    }

    /// Waits until the terminal has shown `text`.
    pub async fn sees(&mut self, text: &str) {
        let has = |shown: &Vec<u8>| String::from_utf8_lossy(shown).contains(text);
        let seen = timeout(PATIENCE, self.shown.wait_for(has)).await;
        let seen = seen.is_ok_and(|seen| seen.is_ok());
        assert!(seen, "{text:?} is not in {:?}", self.screen());
    }

    /// From now on the terminal shows nothing more, as after Ctrl-S or behind a dead line.
    pub fn looks_away(&self) {
        self.looks_away.store(true, Ordering::Relaxed);
    }

    /// Whether the terminal takes no further output.
    pub fn has_full_terminal(&self) -> bool {
        let mut ready = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLOUT)];
        poll(&mut ready, PollTimeout::ZERO).expect("an open terminal") == 0
    }

    /// Waits for the end of the program, whatever its terminal still shows. The terminal must be itself
    /// again.
    pub async fn ends_unseen(mut self) -> i32 {
        let ended = timeout(PATIENCE, self.command.wait()).await;
        let status = ended.expect("it ends although nobody looks").expect("a child of ours");
        assert!(self.has_usual_terminal(), "the terminal is not itself again");
        status.code().unwrap_or(-1)
    }

    /// All that the terminal has shown.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.shown.borrow()).into_owned()
    }

    pub fn resizes(&self, columns: u16, rows: u16) {
        let size =
            rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).expect("a terminal");
        // It is no controlling terminal of the test's processes, so the kernel tells nobody.
        self.signals(Signal::SIGWINCH);
    }

    pub fn signals(&self, signal: Signal) {
        let pid = self.command.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
        kill(Pid::from_raw(pid), signal).expect("a process of ours");
    }

    /// Whether the terminal works on lines, shows what is typed and makes signals of keys.
    pub fn has_usual_terminal(&self) -> bool {
        let usual = LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG;
        tcgetattr(self.terminal.as_fd()).expect("a terminal").local_flags.contains(usual)
    }

    /// Waits for the end of the program: its exit code and all that was shown. The terminal must be
    /// itself again.
    pub async fn ends(mut self) -> (i32, String) {
        let ended = timeout(PATIENCE, self.command.wait()).await;
        let Ok(status) = ended else { panic!("it still runs; {:?}", self.screen()) };
        let status = status.expect("a child of ours");
        assert!(self.has_usual_terminal(), "the terminal is not itself again");
        drop(self.terminal);
        // The sender is dropped when everything was read.
        let _ = timeout(PATIENCE, self.shown.wait_for(|_| false)).await;
        let shown = String::from_utf8_lossy(&self.shown.borrow()).into_owned();
        (status.code().unwrap_or(-1), shown)
    }
}
