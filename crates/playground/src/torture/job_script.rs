//! The script of each job of a torture: what it writes, how it ends by itself, and what it does when
//! it is told to end. It tells the observer what it did.

use fastrand::Rng;

/// Printed before the job's own bytes. The command that the shell echoes does not contain it in one piece.
pub const BEGIN: &str = "begin-of-data\n";
/// The job's variable that holds the port of the observer.
pub const OBSERVER_PORT: &str = "TORTURE_OBSERVER_PORT";

/// Ends the agent's server, the first child of the first process of the task; or tells that first
/// process to end.
const KILLERS: [&str; 2] = ["kill -9 2", "kill -TERM 1"];

/// What a job's script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptKind {
    /// It writes so many lines and passes.
    Passes {
        /// Lines of eight bytes.
        lines: u32,
    },
    /// It writes so many lines and exits with this code.
    Exits {
        /// From 1 to 255.
        code: u8,
        /// Lines of eight bytes.
        lines: u32,
    },
}

impl ScriptKind {
    /// What most scripts are.
    pub fn draw(rng: &mut Rng) -> Self {
        // Most are short; some are larger than what one frame holds.
        let lines = if rng.u8(0..4) == 0 { rng.u32(10_000..60_000) } else { rng.u32(0..200) };
        match rng.u8(0..3) {
            0 => Self::Exits { code: rng.u8(1..=255), lines },
            _ => Self::Passes { lines },
        }
    }

    /// The exit status of the script.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Passes { .. } => 0,
            Self::Exits { code, .. } => code,
        }
    }

    fn lines(self) -> u32 {
        match self {
            Self::Passes { lines } | Self::Exits { lines, .. } => lines,
        }
    }

    /// How many bytes it writes behind [`BEGIN`].
    #[must_use]
    pub fn bytes(self) -> u64 {
        8 * u64::from(self.lines())
    }

    /// What the script writes behind [`BEGIN`].
    #[must_use]
    pub fn data(self) -> Vec<u8> {
        (1..=self.lines()).flat_map(|n| format!("{n:07}\n").into_bytes()).collect()
    }
}

/// A process that a script leaves behind, and that soon ends the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskKiller {
    /// Left at the end of the script, so that it strikes the stages behind it; else it most often
    /// strikes the script itself.
    at_end: bool,
    command: &'static str,
}

impl TaskKiller {
    /// One of them.
    pub fn draw(rng: &mut Rng) -> Self {
        Self { at_end: rng.bool(), command: KILLERS[rng.usize(0..KILLERS.len())] }
    }

    fn left(self) -> String {
        format!("(setsid sh -c 'sleep 0.06; {}' </dev/null >/dev/null 2>&1 &)", self.command)
    }
}

/// The script of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobScript {
    /// How it ends by itself.
    pub kind: ScriptKind,
    /// Whether it traps TERM, says that its work was not done, and exits with 0, as scripts do that
    /// save what they have. Any other dies of the signal.
    pub saves: bool,
    /// How long it works before it writes, in milliseconds.
    pub works_ms: u32,
    /// What it leaves behind to end its task, if it does.
    pub killer: Option<TaskKiller>,
}

impl JobScript {
    /// Its text for the job of this number: one command, or its parts would be echoed among the
    /// data.
    #[must_use]
    pub fn text(self, id: u64) -> String {
        let Self { kind, saves, works_ms, killer } = self;
        let tell = |what: &str| format!("echo {id} {what} >/dev/tcp/127.0.0.1/${OBSERVER_PORT}");
        let works = format!("sleep {}.{:03}", works_ms / 1000, works_ms % 1000);
        let (name, end) = BEGIN.trim_end().rsplit_once('-').expect("two words");
        let (handler, works) = match saves {
            // A shell runs its handler once the command that it waits for is over.
            true => {
                (format!("trap '{}; exit 0' TERM", tell("saved")), format!("{works} & wait $!"))
            }
            false => (":".to_owned(), works),
        };
        let leaves = |at_end: bool| {
            let killer = killer.filter(|killer| killer.at_end == at_end);
            killer.map_or_else(|| ":".to_owned(), TaskKiller::left)
        };
        let lines = [
            handler,
            tell("started"),
            format!("printf '{name}-%s\\n' {end}"),
            leaves(false),
            works,
            format!("seq -f %07.0f 1 {}", kind.lines()),
            leaves(true),
            tell(&format!("ended {}", kind.status())),
            format!("exit {}", kind.status()),
        ];
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_eight_bytes_a_line() {
        assert_eq!(ScriptKind::Passes { lines: 2 }.data(), b"0000001\n0000002\n");
        assert_eq!(ScriptKind::Passes { lines: 2 }.bytes(), 16);
        assert_eq!(ScriptKind::Exits { code: 3, lines: 0 }.data(), b"");
    }

    #[test]
    fn a_script_that_saves_says_so_and_ends_with_0() {
        let script = JobScript {
            kind: ScriptKind::Passes { lines: 2 },
            saves: true,
            works_ms: 1250,
            killer: Some(TaskKiller { at_end: true, command: KILLERS[0] }),
        };
        insta::assert_snapshot!(script.text(7), @r"
        trap 'echo 7 saved >/dev/tcp/127.0.0.1/$TORTURE_OBSERVER_PORT; exit 0' TERM
        echo 7 started >/dev/tcp/127.0.0.1/$TORTURE_OBSERVER_PORT
        printf 'begin-of-%s\n' data
        :
        sleep 1.250 & wait $!
        seq -f %07.0f 1 2
        (setsid sh -c 'sleep 0.06; kill -9 2' </dev/null >/dev/null 2>&1 &)
        echo 7 ended 0 >/dev/tcp/127.0.0.1/$TORTURE_OBSERVER_PORT
        exit 0
        ");
    }
}
