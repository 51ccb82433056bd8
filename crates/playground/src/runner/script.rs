//! Writes the script of one stage, in the manner of gitlab-runner's bash shell.
//!
//! A script ends itself at SIGTERM, with the status of what it waits for, stops at the first command that fails, exports every variable,
//! and evaluates the user's lines in a subshell whose stdin is closed. Only `bash` and `sh` are
//! written; `pwsh` is refused where the shell is chosen. Submodules are not fetched. A command that
//! fails without `exit` gives 1 under bash, as it does with gitlab-runner: `errexit` inside an
//! `eval` that is part of a pipeline loses the code.

use super::build_stage::BuildStage;
use super::script_builder::{ShellDialect, StageScriptBuilder, StageScriptInput};
use super::sources;

/// The script of `stage`, ready to be written to its file.
#[must_use]
pub fn write(stage: &BuildStage, subject: &StageScriptInput) -> String {
    let mut body = StageScriptBuilder { lines: String::new(), dialect: subject.dialect };
    match stage {
        BuildStage::PrepareScript => prepare(&mut body, subject),
        BuildStage::GetSources => sources::get(&mut body, subject),
        BuildStage::ClearWorktree => sources::clear(&mut body, subject),
        BuildStage::CleanupFileVariables => sources::forget(&mut body, subject),
        BuildStage::Step(name) => {
            body.variables(subject);
            body.line(format!("cd {}", body.word(&subject.places.project_dir)));
            let lines = subject.job.step(name).map_or(&[][..], |step| &step.script);
            body.user_lines(lines);
        }
        BuildStage::AfterScript => {
            body.variables(subject);
            body.line(format!("cd {}", body.word(&subject.places.project_dir)));
            body.notice("Running after script...");
            let lines = subject.job.step("after_script").map_or(&[][..], |step| &step.script);
            body.user_lines(lines);
        }
        BuildStage::RestoreCache
        | BuildStage::DownloadArtifacts
        | BuildStage::ArchiveCache { .. }
        | BuildStage::UploadArtifacts { .. } => transfer(&mut body, subject, stage),
    }
    framed(&body.lines, subject.dialect)
}

/// The trap is gitlab-runner's own: `exit` at the signals 1 and TERM, so with the status of the user's
/// lines, which may have traps of their own.
fn framed(lines: &str, dialect: ShellDialect) -> String {
    format!(
        "#!/usr/bin/env {program}\n\
         trap exit 1 TERM\n\
         if (set -o pipefail) 2> /dev/null; then set -o pipefail; fi\n\
         set -o errexit\n\
         set +o noclobber\n\
         : | eval {lines}\n\
         exit 0\n",
        program = dialect.program(),
        lines = dialect.quoted(lines),
    )
}

fn prepare(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let hostname = body.word(subject.hostname);
    body.line(format!("echo \"Running on $(uname -n) via \"{hostname}..."));
    let folder = subject.places.temporary();
    body.line(format!("rm -f {}", body.word(&format!("{folder}/gitlab_runner_env"))));
}

/// The stages that `gitlab-runner` itself carries out inside the task.
fn transfer(body: &mut StageScriptBuilder, subject: &StageScriptInput, stage: &BuildStage) {
    body.variables(subject);
    body.line(format!("cd {}", body.word(&subject.places.project_dir)));
    body.line("if gitlab-runner --version > /dev/null 2>&1; then");
    for command in transfers(subject, stage) {
        let words: Vec<_> = command.iter().map(|word| body.word(word)).collect();
        let command = format!("gitlab-runner {}", words.join(" "));
        body.line(match stage {
            // A cache that cannot be read or written costs time, not the job.
            BuildStage::RestoreCache | BuildStage::ArchiveCache { .. } => {
                format!("  {command} || echo '{stage} did not work, the job goes on.'")
            }
            _ => format!("  {command}"),
        });
    }
    body.line("  :");
    body.line("else");
    body.line(format!("  echo 'Missing gitlab-runner: {stage} does nothing.'"));
    body.line("fi");
}

fn transfers(subject: &StageScriptInput, stage: &BuildStage) -> Vec<Vec<String>> {
    let job = subject.job;
    let server = job.git_info.repo_url.split_once("://").map_or("", |(_, rest)| rest);
    let host = server.split('/').next().unwrap_or_default();
    let url = format!("http://{}", host.rsplit('@').next().unwrap_or_default());
    let texts = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let with_paths = |mut words: Vec<String>, paths: &[String]| {
        for path in paths {
            words.extend(["--path".to_owned(), path.clone()]);
        }
        words
    };
    match stage {
        BuildStage::RestoreCache => job
            .cache
            .iter()
            .map(|cache| {
                let file = subject.places.cache_file(job, &cache.key);
                texts(&["cache-extractor", "--file", &file, "--timeout", "10"])
            })
            .collect(),
        BuildStage::DownloadArtifacts => job
            .dependencies
            .iter()
            .filter(|dependency| dependency.artifacts_file.is_some())
            .map(|from| {
                let id = from.id.to_string();
                texts(&["artifacts-downloader", "--url", &url, "--token", &from.token, "--id", &id])
            })
            .collect(),
        BuildStage::ArchiveCache { passed } => job
            .cache
            .iter()
            .filter(|cache| cache.when.applies(*passed))
            .map(|cache| {
                let file = subject.places.cache_file(job, &cache.key);
                let words = texts(&["cache-archiver", "--file", &file, "--timeout", "10"]);
                with_paths(words, &cache.paths)
            })
            .collect(),
        BuildStage::UploadArtifacts { passed } => job
            .artifacts
            .iter()
            .filter(|artifact| artifact.when.applies(*passed))
            .map(|artifact| {
                let id = job.id.to_string();
                let words = texts(&[
                    "artifacts-uploader",
                    "--url",
                    &url,
                    "--token",
                    &job.token,
                    "--id",
                    &id,
                ]);
                with_paths(words, &artifact.paths)
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::job::{GitInfo, GitLabJob, JobVariable};
    use super::super::variables::{CiJobStatus, JobFolders, StageVariables};
    use super::*;

    fn run(dialect: ShellDialect, job: &GitLabJob) -> (String, Option<i32>) {
        let folder = tempfile::tempdir().unwrap();
        let project_dir = folder.path().join("project").to_string_lossy().into_owned();
        std::fs::create_dir(&project_dir).unwrap();
        let places = JobFolders { project_dir, ..JobFolders::default() };
        let variables = StageVariables::of(job, &places, CiJobStatus::Running, "t");
        let subject = StageScriptInput {
            job,
            variables: &variables,
            places: &places,
            hostname: "h",
            dialect,
        };
        let path = folder.path().join("script");
        std::fs::write(&path, write(&BuildStage::Step("script".to_owned()), &subject)).unwrap();
        let output = Command::new(dialect.program()).arg(&path).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }

    fn job(script: &[&str]) -> GitLabJob {
        GitLabJob::new(1, "a", GitInfo::default(), script)
    }

    #[test]
    fn a_value_with_every_kind_of_quote_arrives_unchanged_in_both_shells() {
        let odd = "one\ntwo \"three\" 'four' `five` $SIX\\ \t\u{1b}[1m 7% Grüße";
        for dialect in [ShellDialect::Bash, ShellDialect::Sh] {
            let (output, code) =
                run(dialect, &job(&["printf '%s|' \"$ODD\""]).with_variable("ODD", odd));
            assert_eq!(
                (output.ends_with(&format!("{odd}|")), code),
                (true, Some(0)),
                "{dialect:?}: {output}"
            );
        }
    }

    #[test]
    fn a_line_that_exits_ends_the_script_with_its_code() {
        for dialect in [ShellDialect::Bash, ShellDialect::Sh] {
            let (output, code) = run(dialect, &job(&["echo before", "exit 3", "echo never"]));
            assert_eq!(code, Some(3));
            assert!(output.contains("before\n") && !output.contains("\nnever"), "{output}");
        }
    }

    #[test]
    fn user_lines_are_shown_before_they_run_and_have_no_stdin() {
        let (output, code) = run(ShellDialect::Bash, &job(&["cat", "echo one\necho two"]));
        assert_eq!(code, Some(0));
        let shown = "\x1b[32;1m$ cat\x1b[0;m\n\x1b[32;1m$ echo one # collapsed multi-line command\x1b[0;m\none\ntwo\n";
        assert_eq!(output, shown);
    }

    #[test]
    fn a_file_variable_is_the_path_of_a_file_with_its_content() {
        let mut job = job(&["cat \"$CONFIG\""]);
        job.variables.push(JobVariable {
            key: "CONFIG".to_owned(),
            value: "a: b\nc: 'd'\n".to_owned(),
            file: true,
            raw: true,
            ..JobVariable::default()
        });
        let (output, _) = run(ShellDialect::Sh, &job);
        assert!(output.ends_with("a: b\nc: 'd'\n"), "{output}");
    }
}
