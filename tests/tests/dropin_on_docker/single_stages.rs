//! Stages called one by one: exit codes, `BUILD_EXIT_CODE_FILE`, output bytes, and what processes
//! in the task can see.

use fargate_tests::{BUILD_FAILURE, RunnerInstallation, SYSTEM_FAILURE, contains};

use crate::containers;

#[tokio::test]
async fn every_exit_code_reaches_the_exit_code_file_and_a_pass_leaves_none() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.config().await.passed();
    job.prepare().await.passed();
    for code in ["7", "1", "2", "125", "126", "127", "255"] {
        job.run(format!("exit {code}\n")).await.with_code(BUILD_FAILURE);
        assert_eq!(job.exit_code().as_deref().map(str::trim), Some(code));
    }
    job.run("kill -KILL $$\n").await.with_code(BUILD_FAILURE);
    assert_eq!(job.exit_code().as_deref().map(str::trim), Some("137"));
    job.run("true\n").await.passed();
    assert_eq!(job.exit_code(), None, "a later failure would report it");
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn bytes_come_as_they_are_each_on_its_stream_and_in_order() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.prepare().await.passed();
    let script = "printf 'a\\0\\377\\r\\nz'; printf 'to\\033stderr' >&2; seq 1 200000; printf end";
    let ended = job.run(script).await.with_code(0);
    let mut expected = b"a\0\xff\r\nz".to_vec();
    for number in 1..=200_000 {
        expected.extend_from_slice(format!("{number}\n").as_bytes());
    }
    expected.extend_from_slice(b"end");
    assert_eq!(ended.stdout.len(), expected.len());
    assert!(ended.stdout == expected, "the bytes differ");
    assert_eq!(ended.stderr, b"to\x1bstderr");
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn files_stay_from_stage_to_stage_and_variables_and_folders_do_not() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.prepare().await.passed();
    job.run("cd /builds && echo kept >file && export LEFT=over && pwd").await.passed();
    let ended = job.run("cat /builds/file; echo \"${LEFT:-nothing}\"; pwd").await.with_code(0);
    assert_eq!(ended.out(), "kept\nnothing\n/root\n");
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn no_command_line_and_no_environment_in_the_task_holds_the_script() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.prepare().await.passed();
    let canary = "canary-4a7f30";
    let script =
        format!(": {canary}\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'");
    let ended = job.run(script).await.with_code(0);
    assert!(ended.out().contains("SSH_PUBLIC_KEY=ssh-ed25519 "), "it saw the task's processes");
    assert!(!contains(&ended.stdout, canary.as_bytes()), "{}", ended.out());
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn the_stages_of_one_job_meet_one_host_key_and_another_task_has_another() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let mut keys = Vec::new();
    for number in 0..2 {
        let job = installation.job(number);
        job.prepare().await.passed();
        let script = "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub";
        let first = job.run(script).await.with_code(0).out();
        assert_eq!(job.run(script).await.with_code(0).out(), first);
        let state = job.state().expect("a state file").to_string();
        assert!(state.contains(first.trim()), "the key that is pinned: {state}");
        keys.push(first);
        job.cleanup().await.passed();
    }
    assert_ne!(keys[0], keys[1]);
    installation.close(2).await;
}

#[tokio::test]
async fn a_host_key_that_changes_in_mid_job_is_refused_before_a_byte_of_the_script() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.prepare().await.passed();
    // sshd reads its key when it starts, so it starts again, as PID 1's child, with another one.
    let change = "rm /etc/ssh/ssh_host_ed25519_key*\n\
        ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n\
        kill -HUP $(cat /run/sshd.pid)\n";
    job.run(change).await.passed();
    let ended = job.run("touch /builds/reached; echo reached").await.with_code(SYSTEM_FAILURE);
    assert!(!ended.out().contains("reached\n"), "{}", ended.all());
    let line = ended.error_line();
    assert!(line.contains("another machine answered in the task's place"), "{line}");
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn a_job_that_ends_its_own_task_fails_by_its_own_fault() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let job = installation.job(0);
    job.prepare().await.passed();
    // Output that sshd has not passed on yet is lost.
    let script = "echo so far; sleep 2; kill -TERM 1; sleep 60";
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert!(ended.out().starts_with("so far\n"), "{}", ended.all());
    assert!(job.exit_code().is_some_and(|code| code.trim() != "0"));
    job.cleanup().await.passed();
    installation.close(1).await;
}

#[tokio::test]
async fn our_own_agent_serves_a_real_container_as_its_first_process() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::with_agent(containers);
    let job = installation.job(0);
    let ready = job.prepare().await.with_code(0).out();
    assert!(ready.contains("proven by seed"), "{ready}");
    let ended = job.run("tr '\\0' ' ' </proc/1/cmdline; seq 1 200000").await.with_code(0);
    assert!(ended.out().starts_with("/usr/local/bin/fargate-agent"), "{}", &ended.out()[..60]);
    assert!(ended.out().ends_with("\n199999\n200000\n"), "the output's end");
    job.run("exit 3\n").await.with_code(BUILD_FAILURE);
    assert_eq!(job.exit_code().as_deref().map(str::trim), Some("3"));
    job.cleanup().await.passed();
    installation.close(1).await;
}
