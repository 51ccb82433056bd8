//! Every flag, short name and form of GitLab's driver, through the binary.

use std::fs;

use fargate_tests::SYSTEM_FAILURE;

use crate::{OldStyleHost, call, refused};

/// What `config show` says of one key, called with these words before it.
async fn shown(old: &OldStyleHost, flags: &[&str], key: &str) -> String {
    let job = old.job();
    let file = old.file().display().to_string();
    let mut words = vec!["--config", file.as_str()];
    words.extend(flags);
    words.extend(["config", "show"]);
    let ended = call(&job, &fargate_tests::runner(), &words).await.with_code(0);
    let start = format!("{key} = ");
    let line = ended.out().lines().find(|line| line.starts_with(&start)).map(str::to_owned);
    line.unwrap_or_else(|| panic!("no {key} in {}", ended.out()))
}

#[tokio::test]
async fn each_flag_in_each_form_comes_before_the_file() {
    let old = OldStyleHost::open().await;
    let log = old.site.folder().join("other.log").display().to_string();
    let rows = [
        ("log-level", "warning", "log_level", "\"warn\""),
        ("log-format", "text-simple", "log_format", "\"text-simple\""),
        ("log-file", log.as_str(), "log_file", &format!("\"{log}\"")),
        ("task-def", "other:7", "task_definition", "\"other:7\""),
        ("platform-version", "1.3.0", "platform_version", "\"1.3.0\""),
    ];
    for (flag, value, key, expected) in rows {
        for form in [
            vec![format!("-{flag}"), value.to_owned()],
            vec![format!("--{flag}"), value.to_owned()],
            vec![format!("-{flag}={value}")],
            vec![format!("--{flag}={value}")],
            // The last one decides.
            vec![format!("--{flag}=LATEST"), format!("-{flag}={value}")],
        ] {
            let words: Vec<_> = form.iter().map(String::as_str).collect();
            let line = shown(&old, &words, key).await;
            assert_eq!(line, format!("{key} = {expected} # --{flag}"), "{form:?}");
        }
    }
    // An empty flag counts as absent.
    let line = shown(&old, &["--task-def="], "task_definition").await;
    assert!(line.starts_with("task_definition = \"test-task\" # line"), "{line}");
    old.site.close().await;
}

#[tokio::test]
async fn the_file_may_be_named_in_every_form_and_place() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let file = old.file().display().to_string();
    let joined = [format!("-config={file}"), format!("--config={file}"), format!("-c{file}")];
    let mut lines: Vec<Vec<&str>> = vec![
        vec!["-config", &file, "custom", "config"],
        vec!["--config", &file, "c", "co"],
        vec!["-c", &file, "custom", "config"],
        vec!["custom", "-config", &file, "config"],
        vec!["custom", "config", "-c", &file],
        vec!["custom", "config", "--config", &file],
        vec!["-config", "/no/such/file", "c", "co", "--config", &file],
    ];
    lines.extend(joined.iter().map(|flag| vec![flag.as_str(), "c", "co"]));
    for words in lines {
        let ended = call(&job, &fargate_tests::runner(), &words).await.with_code(0);
        assert!(ended.out().starts_with("{\"driver\""), "{words:?}: {}", ended.all());
    }
    old.site.close().await;
}

#[tokio::test]
async fn help_and_version_are_answered_and_pass() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let link = old.link();
    for words in
        [&["-h"][..], &["-help"], &["--help"], &["c", "-h"], &["custom", "prepare", "--help"]]
    {
        let ended = call(&job, &link, words).await.with_code(0);
        assert!(ended.out().contains("Usage:"), "{words:?}: {}", ended.all());
    }
    for words in [&["-v"][..], &["-version"], &["--version"]] {
        let ended = call(&job, &link, words).await.with_code(0);
        assert!(ended.out().starts_with("fargate-runner "), "{words:?}: {}", ended.all());
    }
    old.site.close().await;
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_a_system_failure_with_one_line() {
    let old = OldStyleHost::open().await;
    let file = old.file().display().to_string();
    let job = old.job();
    let runner = fargate_tests::runner();
    for (words, said) in [
        (vec!["--config", &file, "--debug=maybe", "custom", "prepare"], "flag `--debug`"),
        (vec!["--config", &file, "--log-level=loud", "custom", "prepare"], "flag `--log-level`"),
        (vec!["--config", &file, "--log-format=xml", "custom", "prepare"], "flag `--log-format`"),
        (vec!["--config", &file, "--task-def=a b", "custom", "prepare"], "flag `--task-def`"),
        (
            vec!["--config", &file, "--platform-version=1", "custom", "prepare"],
            "flag `--platform-version`",
        ),
        (vec!["custom", "prepare", "--config"], "--config"),
        (vec!["--config", "/no/such", "custom", "prepare"], "there is no such file"),
        (vec!["--unknown", "custom", "prepare"], "--unknown"),
        (vec!["custom", "launch"], "launch"),
        (vec!["c", "r", "/only/a/script"], "error"),
    ] {
        let ended = call(&job, &runner, &words).await;
        refused(&ended, said);
    }
    // The code is the one that gitlab-runner names.
    let job = old.job_with(|job| job.set("SYSTEM_FAILURE_EXIT_CODE", "77"));
    let ended = call(&job, &runner, &["--unknown", "custom", "prepare"]).await;
    assert_eq!(ended.code, 77, "{}", ended.all());
    assert_ne!(ended.code, SYSTEM_FAILURE);
    assert_eq!(old.site.cloud().tasks().len(), 0);
    old.site.close().await;
}

#[tokio::test]
async fn from_the_script_on_nothing_is_a_flag() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    job.prepare().await.passed();
    let file = old.file().display().to_string();
    let script = job.script("echo ran").display().to_string();
    for stage in ["--help", "-config", "--debug=maybe", "--", "step_release"] {
        let words = ["-config", &file, "c", "r", &script, stage, "--version", "-v"];
        let ended = call(&job, &fargate_tests::runner(), &words).await.with_code(0);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("ran\n", ""), "{stage}");
    }
    assert!(!fs::exists(job.folder.join("config.toml")).expect("a folder"));
    job.cleanup().await.passed();
    old.site.close().await;
}
