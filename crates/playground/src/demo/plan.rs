//! The jobs of the demo: what they do, and how each of them must end.

use crate::runner::{DriverProcessExit, GitInfo, GitLabJob, GitLabVerdict, PlayedJob};

/// Lines of the big log.
const BIG_LOG_LINES: u32 = 100_000;

/// Characters of one line of the big log, its end included: 5 MB in all.
const BIG_LOG_WIDTH: usize = 50;

/// The files of the repository that every job fetches.
pub const REPOSITORY: [(&str, &str); 4] = [
    ("README.md", "A small project: three scripts and nothing else.\n"),
    (
        "lint.sh",
        "#!/bin/sh\n\
         # Checks the syntax of every script.\n\
         set -eu\n\
         for file in *.sh; do\n\
         \x20 sh -n \"$file\"\n\
         \x20 echo \"$file: $(wc -l < \"$file\") lines, syntax is right\"\n\
         \x20 sleep 0.2\n\
         done\n",
    ),
    (
        "build.sh",
        "#!/bin/sh\n\
         # Puts 100 parts together.\n\
         set -eu\n\
         mkdir -p out\n\
         : > out/app\n\
         for part in $(seq 1 100); do\n\
         \x20 echo \"part $part of the program, checksum $(echo \"$part\" | cksum | cut -d' ' -f1)\" | tee -a out/app\n\
         \x20 sleep 0.01\n\
         done\n\
         ls -l out\n",
    ),
    (
        "test.sh",
        "#!/bin/sh\n\
         # Adds numbers in 200 ways.\n\
         set -eu\n\
         passed=0\n\
         for n in $(seq 1 200); do\n\
         \x20 [ $((n + n)) -eq $((2 * n)) ]\n\
         \x20 passed=$((passed + 1))\n\
         \x20 echo \"test $n: $n + $n = $((n + n)) ... ok\"\n\
         \x20 sleep 0.005\n\
         done\n\
         echo \"$passed tests passed\"\n",
    ),
];

/// How a job must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedJobEnd {
    /// It passes.
    Passed,
    /// Its script exits with this code, and GitLab is told so.
    Exit(i32),
    /// It is cancelled while its script runs, and its `after_script` still passes.
    Cancelled,
    /// It passes, and all of its log arrives, byte for byte.
    BigLog,
}

/// A job of the demo.
#[derive(Clone, Debug)]
pub struct DemoJobPlan {
    /// The job.
    pub job: GitLabJob,
    /// How it must end.
    pub expected: ExpectedJobEnd,
}

/// The jobs, in the order in which they begin; the repository is at `host` and has `commit`.
#[must_use]
pub fn jobs(host: &str, commit: &str) -> Vec<DemoJobPlan> {
    let mut id = 4000;
    let mut plan = |name: &str, script: &[&str], expected| {
        id += 1;
        let git = GitInfo {
            repo_url: format!("http://gitlab-ci-token:glcbt-local-{id}@{host}/group/project.git"),
            ref_name: "main".to_owned(),
            sha: commit.to_owned(),
            refspecs: vec!["+refs/heads/main:refs/remotes/origin/main".to_owned()],
            depth: 20,
        };
        let mut job = GitLabJob::new(id, name, git, script);
        job.runner_info.timeout = 60;
        DemoJobPlan { job: job.with_variable("CI_COMMIT_SHA", commit), expected }
    };
    let seq = format!("seq -f '%0{}.0f' 1 {BIG_LOG_LINES}", BIG_LOG_WIDTH - 1);
    let mut jobs = vec![
        plan("lint", &["sh lint.sh"], ExpectedJobEnd::Passed),
        plan(
            "fails-with-3",
            &["echo 'this job fails on purpose'", "exit 3"],
            ExpectedJobEnd::Exit(3),
        ),
        plan("cancelled", &["echo started", "sleep 50"], ExpectedJobEnd::Cancelled),
        plan("build", &["sh build.sh", "cksum out/app"], ExpectedJobEnd::Passed),
        plan("tests", &["sh test.sh"], ExpectedJobEnd::Passed),
        plan("big-log", &[&seq], ExpectedJobEnd::BigLog),
    ];
    for planned in &mut jobs {
        if planned.expected == ExpectedJobEnd::Cancelled {
            let after = ["echo \"after_script of a job that was $CI_JOB_STATUS\""];
            planned.job = planned.job.clone().with_after_script(&after);
        }
    }
    jobs
}

impl DemoJobPlan {
    /// What differs from the plan, in words.
    #[must_use]
    pub fn differs(&self, outcome: &PlayedJob) -> Option<String> {
        let (shown, expected) = (shown(outcome), self.expected());
        if shown != expected {
            return Some(format!("expected: {expected}, got: {shown}"));
        }
        if let Some(wrong) = cleanup_failed(outcome) {
            return Some(wrong);
        }
        match self.expected {
            ExpectedJobEnd::Cancelled if !after_script_passed(outcome) => {
                Some("after_script did not pass".to_owned())
            }
            ExpectedJobEnd::BigLog if !has_big_log(outcome) => Some(OTHER_LOG.to_owned()),
            _ => None,
        }
    }

    /// What differs where faults were injected, and what none of them explains: they can keep a job
    /// from its end, but make none pass and change no log.
    #[must_use]
    pub fn is_unexplained(&self, outcome: &PlayedJob) -> Option<String> {
        if let Some(wrong) = cleanup_failed(outcome) {
            return Some(wrong);
        }
        let passed = outcome.verdict == GitLabVerdict::Success && !outcome.cancelled;
        match self.expected {
            ExpectedJobEnd::Exit(_) | ExpectedJobEnd::Cancelled if passed => {
                Some(format!("expected: {}, got: passed", self.expected()))
            }
            ExpectedJobEnd::BigLog if passed && !has_big_log(outcome) => Some(OTHER_LOG.to_owned()),
            _ => None,
        }
    }

    /// How the job ended otherwise than it does without faults.
    #[must_use]
    pub fn instead(&self, outcome: &PlayedJob) -> Option<String> {
        let (shown, expected) = (shown(outcome), self.expected());
        (shown != expected).then(|| format!("{shown} instead of {expected}"))
    }

    fn expected(&self) -> String {
        match self.expected {
            ExpectedJobEnd::Passed | ExpectedJobEnd::BigLog => "passed".to_owned(),
            ExpectedJobEnd::Exit(code) => format!("script_failure with exit {code}"),
            ExpectedJobEnd::Cancelled => "cancelled".to_owned(),
        }
    }
}

/// The verdict in words.
fn shown(outcome: &PlayedJob) -> String {
    match (outcome.verdict, outcome.cancelled) {
        (_, true) => "cancelled".to_owned(),
        (GitLabVerdict::Success, _) => "passed".to_owned(),
        (GitLabVerdict::Failed { reason, exit_code: Some(code) }, _) => {
            format!("{reason} with exit {code}")
        }
        (GitLabVerdict::Failed { reason, exit_code: None }, _) => reason.to_string(),
    }
}

/// What is said of a big log that is not whole.
const OTHER_LOG: &str = "its log is not the one that was written";

fn cleanup_failed(outcome: &PlayedJob) -> Option<String> {
    let cleanup = outcome.calls.iter().find(|call| call.name() == "cleanup")?;
    (cleanup.exit != DriverProcessExit::Code(0))
        .then(|| format!("cleanup ended with {:?}", cleanup.exit))
}

fn after_script_passed(outcome: &PlayedJob) -> bool {
    outcome.call("after_script").is_some_and(|call| {
        call.exit == DriverProcessExit::Code(0)
            && String::from_utf8_lossy(&call.stdout).contains("was canceled")
    })
}

/// Whether the script wrote exactly what the log holds: all lines, in order, nothing between.
fn has_big_log(outcome: &PlayedJob) -> bool {
    let Some(call) = outcome.call("build_script") else { return false };
    let width = BIG_LOG_WIDTH - 1;
    let expected: String = (1..=BIG_LOG_LINES).map(|n| format!("{n:0width$}\n")).collect();
    call.stdout.ends_with(expected.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_has_scripts_that_a_shell_can_read() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in REPOSITORY {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        for script in ["lint.sh", "build.sh", "test.sh"] {
            let output = std::process::Command::new("sh")
                .arg(script)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{script}: {output:?}");
        }
    }

    #[test]
    fn faults_explain_a_job_that_failed_and_none_that_passed() {
        let outcome = |verdict| PlayedJob {
            verdict,
            cancelled: false,
            calls: Vec::new(),
            trace: Vec::new(),
            trace_bytes: 0,
            took: std::time::Duration::ZERO,
        };
        let reason = crate::runner::FailureReason::RunnerSystemFailure;
        let lost = outcome(GitLabVerdict::Failed { reason, exit_code: None });
        for planned in jobs("127.0.0.1:1", "abc") {
            assert_eq!(planned.is_unexplained(&lost), None, "{planned:?}");
            assert!(
                planned.instead(&lost).expect("otherwise").starts_with("runner_system_failure")
            );
            assert!(planned.differs(&lost).is_some());
            let passed = planned.is_unexplained(&outcome(GitLabVerdict::Success));
            assert_eq!(passed.is_none(), planned.expected == ExpectedJobEnd::Passed, "{planned:?}");
        }
    }

    #[test]
    fn every_kind_of_end_is_in_the_plan() {
        let jobs = jobs("127.0.0.1:1", "abc");
        for expected in [
            ExpectedJobEnd::Passed,
            ExpectedJobEnd::Exit(3),
            ExpectedJobEnd::Cancelled,
            ExpectedJobEnd::BigLog,
        ] {
            assert!(jobs.iter().any(|planned| planned.expected == expected));
        }
    }
}
