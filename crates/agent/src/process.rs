//! Starts a job's processes in a group of their own, and ends them as a whole tree.
//!
//! It takes program and environment as given. It waits for nothing.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdout, Command};

/// What to start, and with what.
pub struct ProcessSpec<'a> {
    pub program: &'a str,
    pub arguments: &'a [String],
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub directory: Option<&'a str>,
    pub stdin: Stdio,
}

/// Starts it in a new process group, with one pipe for each output stream.
pub fn start(start: ProcessSpec<'_>) -> std::io::Result<Child> {
    let mut command = command(start);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Starts it with one pipe for both streams, so that their order is kept. The pipe is the child's
/// stdout.
pub fn start_joined(start: ProcessSpec<'_>) -> std::io::Result<Child> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = command(start);
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds the write end open, so the pipe would never end.
    drop(command);
    child.stdout = Some(ChildStdout::from_std(OwnedFd::from(reader).into())?);
    Ok(child)
}

fn command(start: ProcessSpec<'_>) -> Command {
    let mut command = Command::new(start.program);
    command
        .args(start.arguments)
        .env_clear()
        .envs(start.environment)
        .stdin(start.stdin)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = start.directory {
        command.current_dir(directory);
    }
    command
}

/// A process group, and all descendants of its leader.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTree {
    leader: Pid,
}

impl ProcessTree {
    /// The tree of a child that was just started. `None` if the child was already reaped.
    pub fn of(child: &Child) -> Option<Self> {
        let id = i32::try_from(child.id()?).ok()?;
        Some(Self { leader: Pid::from_raw(id) })
    }

    /// Sends `signal` to the group, and to every descendant that left the group.
    pub fn signal(self, signal: Signal) {
        // Find the descendants first: once their parent is dead, they belong to process 1, and
        // nothing shows any more whose they are.
        let strays = self.descendants();
        // A group that is already gone is what the caller wants.
        let _ = killpg(self.leader, signal);
        for pid in strays {
            let _ = kill(pid, signal);
        }
    }

    /// Whether a process of the group exists.
    pub fn is_alive(self) -> bool {
        killpg(self.leader, None).is_ok()
    }

    fn descendants(self) -> BTreeSet<Pid> {
        let parents = parents();
        let mut family = BTreeSet::from([self.leader]);
        loop {
            let before = family.len();
            let children = parents.iter().filter(|(_, parent)| family.contains(parent));
            let children: Vec<Pid> = children.map(|&(child, _)| child).collect();
            family.extend(children);
            if family.len() == before {
                family.remove(&self.leader);
                return family;
            }
        }
    }
}

/// All processes that can be seen, each with its parent.
fn parents() -> Vec<(Pid, Pid)> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name in parentheses may hold any character, so count the fields from its end.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let parent: i32 = fields.nth(1)?.parse().ok()?;
            Some((Pid::from_raw(pid), Pid::from_raw(parent)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn streams_that_are_joined_keep_the_order_in_which_they_were_written() {
        let script = "for i in 1 2 3 4 5; do echo $i; echo e$i >&2; done; sh -c 'echo x >&2'";
        let arguments = ["-c".to_owned(), script.to_owned()];
        let environment = vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
        let mut child = start_joined(ProcessSpec {
            program: "sh",
            arguments: &arguments,
            environment,
            directory: None,
            stdin: Stdio::null(),
        })
        .unwrap();
        assert!(child.stderr.is_none());
        let mut all = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "1\ne1\n2\ne2\n3\ne3\n4\ne4\n5\ne5\nx\n");
        child.wait().await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_left_the_group_is_ended_with_the_tree() {
        let script = "setsid sleep 1000 & echo $!; wait".to_owned();
        let arguments = ["-c".to_owned(), script];
        let environment = vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
        let mut child = start(ProcessSpec {
            program: "sh",
            arguments: &arguments,
            environment,
            directory: None,
            stdin: Stdio::null(),
        })
        .unwrap();
        let mut stdout = child.stdout.take().expect("piped");
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(stdout.read_u8().await.unwrap());
        }
        let tree = ProcessTree::of(&child).unwrap();
        tree.signal(Signal::SIGKILL);
        // Both processes hold the pipe, so its end means that both are gone.
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).await.unwrap();
        child.wait().await.unwrap();
    }
}
