//! Tasks that are set up wrong: one clear line, the right exit class, nothing left running, and all
//! of it in time.

use std::time::Duration;

use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, SshdSetup, TestJob, TestProcessResult};

use crate::{prepared_on, site_with};

/// A `prepare` that fails, soon, with one line and a stopped task.
async fn fails(
    site: &CheckedHost,
    within: Duration,
) -> (std::rc::Rc<TestJob>, TestProcessResult, String) {
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < within, "{:?}", ended.took);
    let line = ended.error_line();
    for task in site.tasks_of(&job) {
        assert_eq!(task.desired_status, "STOPPED", "{line}");
    }
    assert_eq!(job.exit_code(), None);
    assert!(!job.state_file().exists(), "{line}");
    (job, ended, line)
}

/// Longest time for a server that answers at all.
const SOON: Duration = PATIENCE;

#[tokio::test]
async fn a_container_name_that_the_definition_lacks() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.container", "ci-coordinator");
    let (job, _, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: task definition stock-sshd has no container ci-coordinator");
    assert!(site.tasks_of(&job).is_empty());
    site.close().await;
}

#[tokio::test]
async fn a_task_definition_that_is_not_there() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.task_definition", "no-such-family:3");
    let (job, _, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: task definition no-such-family:3 is missing or inactive");
    assert!(site.tasks_of(&job).is_empty());
    site.close().await;
}

#[tokio::test]
async fn a_server_that_knows_somebody_else_s_key() {
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    for server in [SshdSetup::open_ssh().authorized(other), SshdSetup::dropbear().authorized(other)]
    {
        let Some(site) = site_with(&server).await else { return };
        let (_, ended, line) = fails(&site, SOON).await;
        assert_eq!(line, "error: the SSH server of the image refused our key");
        assert!(ended.out().contains("user root was refused"), "{}", ended.out());
        site.close().await;
    }
}

/// What the block of a `prepare` says behind its headline.
fn advice(ended: &TestProcessResult) -> String {
    ended.out().split_once("refused our key").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_server_that_takes_no_key_of_our_kind_and_says_so_to_nobody() {
    let list = "PubkeyAcceptedAlgorithms rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256";
    let Some(site) = site_with(&SshdSetup::open_ssh().line(list)).await else { return };
    let (_, ended, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: the SSH server of the image refused our key");
    let advice = advice(&ended);
    assert!(advice.contains("set `ssh.client_key = \"rsa\"`"), "{advice}");
    assert!(advice.contains("PubkeyAcceptedAlgorithms"), "{advice}");
    // What it says helps.
    site.set("defaults.ssh.client_key", "rsa");
    site.prepared().await;
    site.close().await;
}

#[tokio::test]
async fn a_server_in_fips_mode() {
    let server = SshdSetup::open_ssh()
        .host_key("ecdsa")
        .line("KexAlgorithms ecdh-sha2-nistp256,diffie-hellman-group14-sha256")
        .line("PubkeyAcceptedAlgorithms rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256");
    let Some(site) = site_with(&server).await else { return };
    let (_, ended, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: the task's SSH server takes no ed25519 keys");
    assert!(ended.out().contains("set `ssh.client_key = \"rsa\"`"), "{}", ended.out());
    site.set("defaults.ssh.client_key", "rsa");
    site.prepared().await;
    site.close().await;
}

#[tokio::test]
async fn an_account_that_is_locked_is_among_the_reasons() {
    for user in ["root", "ci"] {
        let server = SshdSetup::open_ssh().login(user, "/bin/bash").locked();
        let Some(site) = site_with(&server).await else { return };
        let (_, ended, line) = fails(&site, SOON).await;
        assert_eq!(line, "error: the SSH server of the image refused our key");
        let advice = advice(&ended);
        assert!(advice.contains("the account is locked (`!` in /etc/shadow"), "{advice}");
        assert!(advice.contains(&format!("user {user} was refused")), "{advice}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_server_that_only_takes_passwords() {
    let server = SshdSetup::open_ssh()
        .line("PubkeyAuthentication no")
        .line("PasswordAuthentication yes")
        .line("PermitRootLogin yes");
    for server in [server, SshdSetup::open_ssh().line("AuthenticationMethods publickey,password")] {
        let Some(site) = site_with(&server).await else { return };
        let (_, _, line) = fails(&site, SOON).await;
        assert_eq!(line, "error: the SSH server of the image refused our key");
        site.close().await;
    }
}

#[tokio::test]
async fn a_user_that_the_image_lacks_or_that_may_not_log_in() {
    for (user, line) in [("deploy", ""), ("ci", "DenyUsers ci"), ("root", "PermitRootLogin no")] {
        let Some(site) = site_with(&SshdSetup::open_ssh().line(line)).await else { return };
        site.set("defaults.ssh.user", user);
        let (_, ended, said) = fails(&site, SOON).await;
        assert_eq!(said, "error: the SSH server of the image refused our key");
        assert!(ended.out().contains(&format!("user {user} was refused")), "{}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn a_login_shell_that_does_not_exist() {
    // OpenSSH never accepts such a user.
    let Some(site) = site_with(&SshdSetup::open_ssh().login("root", "/no/such/shell")).await else {
        return;
    };
    let (_, _, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: the SSH server of the image refused our key");
    site.close().await;
}

#[tokio::test]
async fn a_login_shell_that_runs_nothing() {
    for shell in ["/bin/false", "/bin/true", "/usr/sbin/nologin"] {
        let Some(site) = site_with(&SshdSetup::open_ssh().login("root", shell)).await else {
            return;
        };
        let (_, ended, line) = fails(&site, SOON).await;
        assert_eq!(
            line,
            "error: the login shell in the task ran none of our commands",
            "{shell}: {}",
            ended.out()
        );
        site.close().await;
    }
}

#[tokio::test]
async fn a_server_that_answers_and_then_never_stops_writing() {
    let flood = "cat >/run/flood <<'END_OF_FILE'\n\
                 read -r verb nonce rest; echo fargate-runner-started-$nonce; exec yes\n\
                 END_OF_FILE";
    let server = SshdSetup::open_ssh().before(flood).line("ForceCommand sh /run/flood");
    let Some(site) = site_with(&server).await else { return };
    // The message does not mention the deadline of `prepare`.
    site.set("defaults.timeouts.session_open", "5m");
    let (_, ended, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: the login shell in the task ran none of our commands");
    assert!(ended.out().contains("its answer has more than 4096 bytes"), "{}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn a_server_that_runs_its_own_command_whatever_it_is_asked() {
    for command in ["echo welcome", "cat", "sleep 1000"] {
        let line = format!("ForceCommand {command}");
        let Some(site) = site_with(&SshdSetup::open_ssh().line(&line)).await else { return };
        site.set("defaults.timeouts.session_open", "1s");
        let (_, ended, line) = fails(&site, SOON).await;
        assert!(line.starts_with("error: "), "{line}");
        assert!(!ended.out().contains("panicked"), "{command}: {}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_of_a_script_is_given_up_and_no_script_is_blamed() {
    let command = "cat >/run/command <<'END_OF_FILE'\n\
                   [ -e /tmp/stuck ] && exec sleep 1000\n\
                   exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n\
                   END_OF_FILE";
    let server = SshdSetup::open_ssh().before(command).line("ForceCommand sh /run/command");
    let Some((site, job)) = prepared_on(&server).await else { return };
    job.run("echo >/tmp/stuck").await.passed();
    site.set("defaults.timeouts.send_stall", "500ms");
    // More than may be on its way at once.
    let ended = job.run("# a line that says nothing\n".repeat((8 << 20) / 27)).await;
    assert_eq!(ended.code, SYSTEM_FAILURE, "{}", ended.all());
    assert!(ended.took < SOON, "{:?}", ended.took);
    let log = site.log();
    assert!(log.contains("took nothing of what it was sent for 0.50 s"), "{log}");
    assert_eq!((ended.out().as_str(), job.exit_code()), ("", None));
    site.close().await;
}

#[tokio::test]
async fn a_login_shell_that_leaves_or_reads_before_it_comes_to_the_command() {
    for line in ["exit 3", "exec false", "cat >/dev/null", "read -r first"] {
        let server = SshdSetup::open_ssh().before(&format!("echo '{line}' >$HOME/.bashrc"));
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.timeouts.session_open", "1s");
        let (_, ended, said) = fails(&site, SOON).await;
        let known = [
            "error: the login shell in the task ran none of our commands",
            "error: the SSH handshake did not finish",
        ];
        assert!(known.contains(&said.as_str()), "{line}: {}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn a_shell_that_the_image_lacks() {
    let server =
        SshdSetup::open_ssh().login("root", "/run/shells/sh").line("SetEnv PATH=/run/shells");
    let Some(site) = site_with(&server).await else { return };
    let (_, _, line) = fails(&site, SOON).await;
    assert_eq!(line, "error: the image has no bash");
    // With the shell that it has, the same job passes.
    site.set("defaults.shell", "sh");
    let job = site.prepared().await;
    assert_eq!(job.run("echo $0; command -v bash").await.with_code(1).out(), "sh\n");
    assert_eq!(job.exit_code().as_deref(), Some("127\n"));
    site.close().await;
}

#[tokio::test]
async fn a_small_banner_is_not_the_job_s_output_and_a_large_one_is_refused() {
    let banner = |size: usize| {
        let made = format!("head -c {size} /dev/zero | tr '\\0' Q >/run/banner");
        SshdSetup::open_ssh().before(&made).line("Banner /run/banner")
    };
    for size in [1, 200, 20_000] {
        let Some((site, job)) = prepared_on(&banner(size)).await else { return };
        assert_eq!(job.run("echo out").await.with_code(0).all(), "out\n");
        for ended in job.said() {
            assert!(!ended.all().contains("QQQQ"), "{}", ended.all());
        }
        site.close().await;
    }
    let Some(site) = site_with(&banner(1_000_000)).await else { return };
    site.set("defaults.timeouts.agent_start", "2s");
    let (_, ended, line) = fails(&site, SOON).await;
    assert!(line.starts_with("error: "), "{line}");
    assert!(ended.out().len() < 4096, "{}", ended.out().len());
    site.close().await;
}

#[tokio::test]
async fn a_disk_that_is_full_stops_only_what_needs_it() {
    for server in [
        SshdSetup::open_ssh(),
        SshdSetup::open_ssh().login("ci", "/bin/dash"),
        SshdSetup::dropbear(),
    ] {
        let Some((site, job)) = prepared_on(&server.full_disk()).await else { return };
        let ended = job.run("echo out; echo err >&2; exit 6").await.with_code(1);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
        assert_eq!(job.exit_code().as_deref(), Some("6\n"));
        // If the job itself needs too much room, that is the job's failure, and its own program says so.
        let ended = job.run("echo x >/tmp/file").await.with_code(1);
        assert!(ended.err().contains("No space left on device"), "{}", ended.err());
        assert_eq!(job.exit_code().as_deref(), Some("1\n"));
        site.close().await;
    }
}
