//! Jobs whose task proves its host key.

use std::collections::BTreeSet;

use fargate_tests::SYSTEM_FAILURE;

use crate::{ROLE, events, gets_no_script, job, register, site, unproven};

#[tokio::test]
async fn a_job_passes_and_its_log_says_that_the_role_proved_the_host_key() {
    let site = site().await;
    let job = job(&site);
    let ended = job.prepare().await.with_code(0);
    let line = ended.out().lines().find(|line| line.contains("host key")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("no host key in {}", ended.out()));
    assert!(
        line.contains("SHA256:") && line.ends_with("proven by the task role ci-task"),
        "{line}"
    );
    let state = job.state().expect("a state file");
    assert!(state["host_key"].as_str().expect("a text").starts_with("ssh-ed25519 "), "{state}");
    for n in 0..3 {
        assert_eq!(job.run(format!("echo {n}")).await.with_code(0).all(), format!("{n}\n"));
    }
    job.cleanup().await.passed();
    // Later stages know the key, so they ask nobody.
    assert_eq!(site.calls("GetCallerIdentity"), 1);
    assert!(events(&site, "security.host_unproven").is_empty());
    site.close().await;
}

#[tokio::test]
async fn a_role_is_named_by_its_arn_or_by_its_name() {
    let site = site().await;
    site.set("defaults.task_role", "ci-task");
    let job = job(&site);
    job.prepare().await.passed();
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn each_task_has_a_key_of_its_own_and_scripts_still_have_their_role() {
    let site = site().await;
    let mut keys = BTreeSet::new();
    for _ in 0..2 {
        let job = job(&site);
        job.prepare().await.passed();
        keys.insert(job.state().expect("a state file")["host_key"].to_string());
        let said = job.run("env | grep -c ^AWS_CONTAINER_CREDENTIALS_; env").await.with_code(0);
        assert!(said.out().starts_with("1\n") && !said.out().contains("FARGATE_RUNNER_HOST_KEY"));
    }
    assert_eq!(keys.len(), 2);
    site.close().await;
}

#[tokio::test]
async fn a_task_without_a_role_proves_nothing_and_is_told_so() {
    let site = site().await;
    site.set("defaults.task_definition", "ci-job");
    let job = job(&site);
    let ended = job.prepare().await;
    insta::assert_snapshot!(unproven(&site, ended), @r#"
    error: the task gave no proof of its host key by its role
      At PLACE: the host key SHA256:FINGERPRINT is not proven: the task has no task role: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set in its container.
      Nothing was sent: 0 bytes of the script.
      Fix: put the agent of this release into the image and name `taskRoleArn` in the task definition, or choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        aws ecs describe-task-definition --task-definition ci-job
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: host-proof-missing
    "#);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert_eq!(site.calls("GetCallerIdentity"), 0);
    // The set-up is wrong, so the next try starts no task.
    job.cleanup().await.passed();
    job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn a_task_of_another_role_is_refused_and_both_roles_are_named() {
    let site = site().await;
    register(&site, "other-role", "arn:aws:iam::123456789012:role/deploy").await;
    site.set("defaults.task_definition", "other-role");
    let first = job(&site);
    insta::assert_snapshot!(unproven(&site, first.prepare().await), @r#"
    error: another role than ci-task proved the task's host key
      At PLACE: the host key SHA256:FINGERPRINT is not proven: arn:aws:sts::123456789012:assumed-role/deploy/TASK signed the proof, and arn:aws:sts::123456789012:assumed-role/ci-task/TASK was expected.
      Nothing was sent: 0 bytes of the script.
      Fix: compare `task_role` with `taskRoleArn` of the task definition; if both are one role, treat this as a security incident; other modes are `host_key = "seed"` and `"first_use"`
        aws ecs describe-task-definition --task-definition other-role
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: host-proof-role
    "#);
    gets_no_script(&site, &first, &site.folder().join("owned")).await;
    assert_eq!(events(&site, "security.host_unproven").len(), 1);
    // The same name in another account is another role.
    site.without_policies("a role of another account makes the printed policy one of that account");
    site.set("defaults.task_definition", "proven");
    site.set("defaults.task_role", ROLE.replace("123456789012", "999999999999"));
    let second = job(&site);
    let block = unproven(&site, second.prepare().await);
    assert!(block.contains("arn:aws:sts::999999999999:assumed-role/ci-task/TASK"), "{block}");
    site.close().await;
}
