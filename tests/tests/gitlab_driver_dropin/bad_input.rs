//! Bad input on an installation of GitLab's driver: one clear line, a system failure, nothing left
//! running. The tests of the configuration check that each key has its own message.

use std::fs;

use fargate_tests::{CheckedHost, TestJob};
use toml::Value;

use crate::{OldStyleHost, refused};

/// Every stage refuses with the same words, and nothing was asked of the cloud.
async fn every_stage_refuses(site: &CheckedHost, job: &TestJob, words: &str) {
    let asked = site.cloud().requests().len();
    refused(&job.config().await, words);
    refused(&job.prepare().await, words);
    refused(&job.run("echo never").await, words);
    refused(&job.cleanup().await, words);
    assert_eq!(site.cloud().requests().len(), asked);
}

#[tokio::test]
async fn a_file_that_is_no_configuration_is_refused_by_every_stage() {
    let old = OldStyleHost::open().await;
    let good = fs::read_to_string(old.file()).expect("a file");
    let broken = good.replace("[SSH]", "[SSH");
    let texts: [(&[u8], &str); 6] = [
        (broken.as_bytes(), "TOML syntax"),
        (b"\x7fELF\x02\x01\x01\x00\xff", "UTF-8"),
        (b"", "this file is empty"),
        (b"LogLevel = \"info\"\n", "are missing"),
        (b"{\"Fargate\": {}}", "TOML syntax"),
        (b"[Fargate]\n[fargate]\n", "is the same key as `Fargate`"),
    ];
    for (text, words) in texts {
        fs::write(old.file(), text).expect("a writable file");
        every_stage_refuses(&old.site, &old.job(), words).await;
    }
    fs::write(old.file(), "#".repeat(2 << 20)).expect("a writable file");
    every_stage_refuses(&old.site, &old.job(), "at most 1048576 are read").await;
    fs::remove_file(old.file()).expect("a file");
    every_stage_refuses(&old.site, &old.job(), "there is no such file").await;
    fs::create_dir(old.file()).expect("a folder");
    every_stage_refuses(&old.site, &old.job(), "this is a folder").await;
    old.site.close().await;
}

#[tokio::test]
async fn every_key_with_a_wrong_type_is_named_in_its_own_spelling() {
    let keys = [
        ("LogLevel", Value::from(1)),
        ("LogFile", true.into()),
        ("LogFormat", 1.5.into()),
        ("Fargate.Cluster", 1.into()),
        ("Fargate.Region", false.into()),
        ("Fargate.Subnet", vec!["subnet-1"].into()),
        ("Fargate.SecurityGroup", 1.into()),
        ("Fargate.TaskDefinition", 1.into()),
        ("Fargate.EnablePublicIP", "true".into()),
        ("Fargate.UsePublicIP", 1.into()),
        ("Fargate.PlatformVersion", 1.4.into()),
        ("Fargate.EnableExecuteCommand", "yes".into()),
        ("TaskMetadata.Directory", 1.into()),
        ("SSH.Username", 0.into()),
        ("SSH.Port", "22".into()),
        ("SSH.Port", 65_536.into()),
        ("SSH.Port", 22.5.into()),
    ];
    let site = OldStyleHost::open().await;
    let good = fs::read_to_string(site.file()).expect("a file");
    let mut old = site;
    for (key, value) in keys {
        old.set(key, value);
        let job = old.job();
        let words = format!("key `{key}` is");
        refused(&job.prepare().await, &words);
        refused(&job.cleanup().await, &words);
        let settings: toml::Table = good.parse().expect("the good file");
        old.settings = settings;
    }
    assert_eq!(old.site.cloud().tasks().len(), 0);
    old.site.close().await;
}

#[tokio::test]
async fn port_0_is_22_as_it_was() {
    let mut old = OldStyleHost::open().await;
    for port in [0, -1] {
        old.set("SSH.Port", port);
        let job = old.job();
        let file = old.file().display().to_string();
        let words = ["-c", &file, "config", "show"];
        let shown = crate::call(&job, &fargate_tests::runner(), &words).await.with_code(0);
        assert!(shown.out().contains("\nport = 22 # line"), "{}", shown.out());
    }
    old.site.close().await;
}

#[tokio::test]
async fn a_task_definition_that_is_not_there_is_named_and_nothing_runs() {
    let mut old = OldStyleHost::open().await;
    old.set("Fargate.TaskDefinition", "no-such-family:9");
    let job = old.job();
    let ended = job.prepare().await;
    refused(&ended, "error: ");
    assert!(ended.out().contains("no-such-family:9"), "{}", ended.out());
    job.cleanup().await.with_code(0);
    assert_eq!(old.site.cloud().tasks().len(), 0);
    old.site.close().await;
}

#[tokio::test]
async fn a_container_that_the_task_definition_lacks_is_named_and_nothing_runs() {
    let mut old = OldStyleHost::open().await;
    // The cloud's own task definition has a container of another name.
    old.set("Fargate.TaskDefinition", "ci-job");
    let job = old.job();
    let ended = job.prepare().await;
    refused(&ended, "error: ");
    assert!(ended.out().contains("ci-coordinator"), "{}", ended.out());
    job.cleanup().await.with_code(0);
    assert_eq!(old.site.cloud().tasks().len(), 0);
    // The key of ours that names it.
    old.set("Fargate.Container", "job");
    let job = old.job();
    job.prepare().await.passed();
    job.cleanup().await.passed();
    old.site.close().await;
}

#[tokio::test]
async fn a_metadata_directory_that_cannot_be_one_is_refused_before_run_task() {
    let mut old = OldStyleHost::open().await;
    let blocked = old.site.folder().join("blocked");
    fs::write(&blocked, "").expect("a writable folder");
    old.set("TaskMetadata.Directory", blocked.display().to_string());
    refused(&old.job().prepare().await, "the job's state cannot be kept in ");
    old.set("TaskMetadata.Directory", "relative");
    refused(&old.job().prepare().await, "an absolute path is expected");
    assert_eq!(old.site.calls("RunTask"), 0);
    old.site.close().await;
}
