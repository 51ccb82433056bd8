//! What `iam-policy` prints, and when it refuses to.

use std::fs;
use std::path::Path;

use fargate_tests::{CheckedHost, TestProcessResult};

async fn said(site: &CheckedHost, config: &str, words: &[&str]) -> TestProcessResult {
    let file = site.folder().join("printed.toml");
    fs::write(&file, config).expect("a writable folder");
    let words = [&["iam-policy"], words].concat();
    site.start_with(&file, &words).ended().await
}

const SMALL: &str = "config_version = 1\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\n\
    subnets = [\"subnet-0a1b2c3d\"]\nsecurity_groups = [\"sg-0a1b2c3d\"]\ntask_definition = \"ci-job\"\n";

#[tokio::test]
async fn the_readme_shows_what_the_command_prints() {
    let site = CheckedHost::open().await;
    let words =
        ["--account", "111122223333", "--pass-role", "ci-execution", "--pass-role", "ci-task"];
    let words = [&words[..], &["--log-group", "/ci/tasks"]].concat();
    let printed = said(&site, SMALL, &words).await.with_code(0);
    assert_eq!(printed.err(), "");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    assert!(readme.contains(printed.out().trim_end()), "README.md must have:\n{}", printed.out());
    let command = format!("fargate-runner iam-policy {}", words.join(" "));
    assert!(readme.contains(&command), "README.md must have:\n{command}");
    site.close().await;
}

#[tokio::test]
async fn what_the_configuration_does_not_say_is_asked_for() {
    let site = CheckedHost::open().await;
    let mut told = String::new();
    let mut tell = |what: &str, result: TestProcessResult| {
        let out = if result.out().is_empty() { "nothing" } else { "a policy" };
        told += &format!("## {what}: {}, {out} on stdout\n{}", result.code, result.err());
    };
    tell("no account", said(&site, SMALL, &[]).await);
    tell("a wrong account", said(&site, SMALL, &["--account", "12"]).await);
    tell("a definition of somebody else", said(&site, SMALL, &["--account", "111122223333"]).await);
    let lacks = SMALL.replace("region = \"eu-west-1\"\n", "");
    tell("no Region", said(&site, &lacks, &["--account", "111122223333"]).await);
    let task = ["--account", "111122223333", "--for", "task"];
    tell("a task role that needs nothing", said(&site, SMALL, &task).await);
    insta::assert_snapshot!(told, @r"
    ## no account: 1, nothing on stdout
    error: `[defaults]` names no account in an ARN; give it: `--account 123456789012`
    ## a wrong account: 1, nothing on stdout
    error: `--account 12`: an account has 12 digits
    ## a definition of somebody else: 0, a policy on stdout
    notice: if the task definition ci-job names roles, RunTask needs iam:PassRole for them; give each: `--pass-role ROLE`
    notice: if the task definition ci-job writes to a log group, `jobs logs` needs logs:GetLogEvents for it; give it: `--log-group GROUP`
    ## no Region: 1, nothing on stdout
    error: `[defaults]` has no `region`; add it, or set AWS_REGION
    ## a task role that needs nothing: 0, nothing on stdout
    this configuration needs no policy here: nothing is called
    ");
    site.close().await;
}

#[tokio::test]
async fn each_holder_gets_what_its_settings_need() {
    let site = CheckedHost::open().await;
    let config = SMALL.replace(
        "task_definition = \"ci-job\"\n",
        "image = \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/ci:1\"\nexecution_role = \"ci-execution\"\n\
         task_role = \"ci-task\"\nlog_group = \"/ci/tasks\"\nvolumes = [\"data\"]\nregistry_secret = \"ci/registry\"\n\
         secrets = [{ name = \"NPM\", from = \"/ci/npm\" }]\nenable_execute_command = true\n\
         assume_role_arn = \"arn:aws:iam::111122223333:role/ci-manager\"\njob_max_hold = \"30m\"\n\
         [volume.data]\nfile_system = \"fs-0a1b2c3d\"\npath = \"/data\"\n\
         [image.ci]\nrepository = \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/ci\"\n\
         context = \"/srv/ci\"\nmanifest = \"/srv/images.json\"\n",
    );
    let mut told = String::new();
    for holder in ["manager", "host", "execution", "task", "image-builder", "infrastructure"] {
        let printed = said(&site, &config, &["--for", holder]).await.with_code(0);
        told += &format!("## {holder}\n{}{}", printed.err(), printed.out());
    }
    let printed = said(&site, &config, &["--for", "host", "--with-check"]).await.with_code(0);
    told += &format!("## host with check\n{}", printed.out());
    insta::assert_snapshot!(told);
    site.close().await;
}
