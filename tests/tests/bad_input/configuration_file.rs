//! A wrong configuration file, through the binary. The tests of the configuration check that each
//! key has its own message.

use std::fs;
use std::os::unix::fs::symlink;

use fargate_tests::CheckedHost;
use toml::Value;

use crate::{every_stage, refused};

#[tokio::test]
async fn a_file_that_is_no_configuration_is_refused_by_every_stage() {
    let site = CheckedHost::open().await;
    let path = site.config();
    let good = fs::read(&path).expect("a configuration");
    let mut cut = good.clone();
    cut.truncate(good.len() - 12);
    let texts: [(&[u8], &str); 6] = [
        (b"", "this file is empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"config_version = 1\n[defaults", "config.toml:2"),
        (b"config_version = 99\n", "config_version"),
        (b"[defaults]\ncluster = \"ci\"\n", "config_version"),
        (b"config_version = 1\nconfig_version = 1\n", "config.toml:2"),
    ];
    for (text, words) in texts {
        fs::write(&path, text).expect("a writable file");
        refused(&every_stage(&site.job()).await, words);
    }
    fs::write(&path, vec![b'#'; 2 << 20]).expect("a writable file");
    refused(&every_stage(&site.job()).await, "at most 1048576 are read");
    fs::remove_file(&path).expect("a file");
    refused(&every_stage(&site.job()).await, "there is no such file");
    fs::create_dir(&path).expect("a folder");
    refused(&every_stage(&site.job()).await, "this is a folder");
    fs::remove_dir(&path).expect("a folder");
    symlink("/dev/zero", &path).expect("a link");
    refused(&every_stage(&site.job()).await, "a device or a pipe");
    fs::remove_file(&path).expect("a link");
    symlink(&path, &path).expect("a link to itself");
    refused(&every_stage(&site.job()).await, "cannot be read");
    fs::remove_file(&path).expect("a link");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn each_wrong_key_is_named_with_what_was_given() {
    let list = |items: &[&str]| Value::from(items.to_vec());
    let rows: Vec<(&str, Value, &str)> = vec![
        ("defaults.cluster", 7.into(), "defaults.cluster"),
        ("defaults.cluster", "no cluster".into(), "defaults.cluster"),
        ("defaults.region", "nowhere".into(), "defaults.region"),
        ("defaults.subnets", list(&[]), "defaults.subnets"),
        ("defaults.subnets", list(&["sg-0c3d4e5f60718293b"]), "defaults.subnets"),
        ("defaults.subnets", "subnet-0a1b2c3d4e5f60718".into(), "defaults.subnets"),
        ("defaults.security_groups", list(&["none"]), "defaults.security_groups"),
        ("defaults.task_definition", "".into(), "defaults.task_definition"),
        ("defaults.container", "a b".into(), "defaults.container"),
        ("defaults.launch_type", "EC2".into(), "defaults.launch_type"),
        ("defaults.platform_version", 1.4.into(), "defaults.platform_version"),
        ("defaults.cpu", 3.into(), "defaults.cpu"),
        ("defaults.memory", (-1).into(), "defaults.memory"),
        ("defaults.host_key", "none".into(), "defaults.host_key"),
        ("defaults.shell", "zsh".into(), "defaults.shell"),
        ("defaults.builds_dir", "relative".into(), "defaults.builds_dir"),
        ("defaults.ssh.port", 0.into(), "defaults.ssh.port"),
        ("defaults.ssh.port", 65_536.into(), "defaults.ssh.port"),
        ("defaults.ssh.user", "a b".into(), "defaults.ssh.user"),
        ("defaults.timeouts.prepare", "soon".into(), "defaults.timeouts.prepare"),
        ("defaults.timeouts.prepare", 30.into(), "defaults.timeouts.prepare"),
        ("defaults.timeouts.task_idle", "1500ms".into(), "defaults.timeouts.task_idle"),
        ("defaults.limits.task_relaunches", "3".into(), "defaults.limits.task_relaunches"),
        ("defaults.tags.team", 7.into(), "defaults.tags.team"),
        ("owner", "no owner".into(), "owner"),
        ("state_dir", "relative".into(), "state_dir"),
        ("log_level", "loud".into(), "log_level"),
    ];
    for (key, value, words) in rows {
        let site = CheckedHost::open().await;
        site.set(key, value);
        let job = site.job();
        let prepare = job.prepare().await;
        refused(&[("prepare", prepare), ("cleanup", job.cleanup().await)], words);
        assert_eq!(site.cloud().requests().len(), 0, "{key}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_missing_key_and_an_unknown_profile_are_named() {
    let site = CheckedHost::open().await;
    let good = fs::read_to_string(site.config()).expect("a configuration");
    for key in ["cluster", "subnets", "security_groups", "task_definition"] {
        let without: Vec<_> =
            good.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
        assert!(without.len() + 1 == good.lines().count(), "{good}");
        fs::write(site.config(), without.join("\n")).expect("a writable file");
        refused(&every_stage(&site.job()).await, &format!("`defaults.{key}` is missing"));
    }
    fs::write(site.config(), &good).expect("a writable file");
    let job = site.job_with(|job| job.arguments.extend(["--profile".into(), "no-such".into()]));
    refused(&every_stage(&job).await, "no-such");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn a_key_that_no_version_knows_is_a_warning_in_a_job() {
    let site = CheckedHost::open().await;
    site.set("defaults.tiemouts.prepare", "1m");
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert!(ended.out().starts_with("Warning: "), "{}", ended.out());
    assert!(ended.out().contains("tiemouts"), "{}", ended.out());
    let ended = job.run("echo ran").await.with_code(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("ran\n", ""));
    job.cleanup().await.passed();
    site.close().await;
}
