//! The script that a task runs: functions of a fixed text, and a call for each step.

use std::fmt::Write;

use fargate_model::text::shell_word;

use super::plan::{ProbePlan, ProbeStep};

/// For any POSIX shell.
const FUNCTIONS: &str = include_str!("script.sh");

impl ProbePlan {
    /// The script. It ends with 0 whatever it finds, and what it finds is on its standard output.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = FUNCTIONS.to_owned();
        for (number, step) in self.steps.iter().enumerate() {
            let (function, given) = match step {
                ProbeStep::Resolve { host } => ("resolve", host),
                ProbeStep::Address { url } => ("address", url),
                ProbeStep::Registry { url } | ProbeStep::GitLab { url } => ("reach", url),
                ProbeStep::Volume { path } => ("volume", path),
                ProbeStep::ReadOnlyVolume { path } => ("read_only_volume", path),
            };
            let _ = writeln!(script, "{function} {number} {}", shell_word(given));
        }
        script.push_str("exit 0\n");
        script
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::probe::{ProbeAnswer, probe_answers};

    fn ran(shell: &str, plan: &ProbePlan) -> Vec<Option<ProbeAnswer>> {
        let said = Command::new(shell).args(["-c", &plan.script()]).output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
        probe_answers(plan, &said.stdout)
    }

    #[test]
    fn the_script_finds_names_and_writes_renames_and_removes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let missing = folder.path().join("no such 'folder'").display().to_string();
        let plan = ProbePlan {
            steps: vec![
                ProbeStep::Resolve { host: "localhost".to_owned() },
                ProbeStep::Resolve { host: "no-such-host.invalid".to_owned() },
                ProbeStep::Volume { path: path.clone() },
                ProbeStep::Volume { path: missing.clone() },
                ProbeStep::ReadOnlyVolume { path },
                ProbeStep::ReadOnlyVolume { path: missing },
            ],
            ..ProbePlan::default()
        };
        let answers = ran("sh", &plan);
        let is_ok: Vec<bool> =
            answers.iter().map(|it| matches!(it, Some(ProbeAnswer::Fine(_)))).collect();
        assert_eq!(is_ok, [true, false, true, false, true, false], "{answers:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn an_image_without_tools_is_told_so() {
        let plan = ProbePlan {
            steps: vec![
                ProbeStep::Resolve { host: "localhost".to_owned() },
                ProbeStep::GitLab { url: "http://127.0.0.1:9".to_owned() },
                ProbeStep::Address { url: "http://127.0.0.1:9".to_owned() },
            ],
            ..ProbePlan::default()
        };
        let folder = tempfile::tempdir().unwrap();
        for tool in ["tr", "cut"] {
            let found = ["/usr/bin", "/bin"].map(|bin| std::path::Path::new(bin).join(tool));
            let found = found.into_iter().find(|it| it.exists()).unwrap();
            std::os::unix::fs::symlink(found, folder.path().join(tool)).unwrap();
        }
        let mut shell = Command::new("/bin/sh");
        let said = shell.args(["-c", &plan.script()]).env("PATH", folder.path()).output().unwrap();
        for answer in probe_answers(&plan, &said.stdout) {
            assert!(matches!(answer, Some(ProbeAnswer::ToolMissing(_))), "{answer:?}");
        }
    }
}
