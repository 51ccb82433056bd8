//! A whole job on each kind of server: output, exit codes and sizes are the script's own.

use fargate_tests::{BUILD_FAILURE, CheckedHost, SshdSetup, TestJob};

use crate::{prepared_on, site_with};

/// Bytes of each stream in the test of large output.
const LARGE: usize = 1 << 20;
/// What GitLab's larger jobs send: beyond what one argument of a process may hold.
const LONG_SCRIPT: usize = 330 << 10;
/// More than any window of the SSH session.
const LONGER_SCRIPT: usize = 5 << 20;

/// Text without a line end that no compression or repetition makes look right by chance.
fn random_text(len: usize, seed: u64) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| char::from(letters[random.usize(..letters.len())])).collect()
}

async fn streams(job: &TestJob) {
    let ended = job.run("printf out; printf err >&2").await.with_code(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out", "err"));
    let bytes = r"printf 'a\0b\377\376\r\n\033]0;x\007 no newline'; printf 'e\0\200' >&2; exit 3";
    let ended = job.run(bytes).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.stdout, b"a\0b\xff\xfe\r\n\x1b]0;x\x07 no newline");
    assert_eq!(ended.stderr, b"e\0\x80");
    let (out, err) = (random_text(LARGE, 1), random_text(LARGE, 2));
    let ended = job.run(format!("printf %s {out}; printf %s {err} >&2")).await.with_code(0);
    assert!(ended.out() == out, "{} of {LARGE} bytes of stdout", ended.stdout.len());
    assert!(ended.err() == err, "{} of {LARGE} bytes of stderr", ended.stderr.len());
}

async fn codes(job: &TestJob) {
    for code in [1, 3, 125, 126, 127, 130, 255] {
        let ended = job.run(format!("echo said; exit {code}")).await.with_code(BUILD_FAILURE);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("said\n", ""), "{code}");
        assert_eq!(job.exit_code(), Some(format!("{code}\n")));
    }
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139)] {
        let script = format!("echo said; kill -{signal} $$; sleep 30");
        let ended = job.run(script).await.with_code(BUILD_FAILURE);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("said\n", ""), "{signal}");
        assert_eq!(job.exit_code(), Some(format!("{code}\n")), "{signal}");
    }
    let ended = job.run("echo well; exit 0; echo never").await.with_code(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("well\n", ""));
}

async fn sizes(job: &TestJob) {
    let ended = job.run("").await.with_code(0);
    assert_eq!((ended.stdout, ended.stderr), (vec![], vec![]));
    for size in [LONG_SCRIPT, LONGER_SCRIPT] {
        let line = "# a line that says nothing, so that the script is long enough for this test\n";
        let script = line.repeat(size / line.len()) + "echo last line\nexit 5";
        let ended = job.run(&script).await.with_code(BUILD_FAILURE);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("last line\n", ""), "{size}");
        assert_eq!(job.exit_code().as_deref(), Some("5\n"));
    }
}

/// A job that GitLab Runner would play on it: `prepare`, many a `run`, `cleanup`.
async fn whole_job(server: &SshdSetup, shell: &str, client_key: &str) {
    let Some(site) = site_with(server).await else { return };
    site.set("defaults.shell", shell);
    site.set("defaults.ssh.client_key", client_key);
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    assert!(state["peer"].to_string().contains("sshd"), "{}", state["peer"]);
    streams(&job).await;
    codes(&job).await;
    sizes(&job).await;
    assert_eq!(site.task_of(&job).last_status, "RUNNING");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_whole_job_runs_on_openssh() {
    whole_job(&SshdSetup::open_ssh(), "bash", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_runs_on_an_old_openssh_with_rsa_keys() {
    let server = SshdSetup::old_open_ssh("diffie-hellman-group14-sha256", "rsa")
        .line("PubkeyAcceptedAlgorithms rsa-sha2-512,rsa-sha2-256");
    whole_job(&server, "bash", "rsa").await;
}

#[tokio::test]
async fn a_whole_job_runs_on_an_old_openssh_with_an_ecdsa_key() {
    whole_job(&SshdSetup::old_open_ssh("ecdh-sha2-nistp256", "ecdsa"), "bash", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_runs_on_dropbear_which_has_no_strict_key_exchange() {
    whole_job(&SshdSetup::dropbear(), "bash", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_runs_where_the_login_shell_is_dash() {
    whole_job(&SshdSetup::open_ssh().login("root", "/bin/dash"), "bash", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_of_sh_runs_where_the_login_shell_is_sh() {
    whole_job(&SshdSetup::open_ssh().login("root", "/bin/sh"), "sh", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_of_sh_runs_where_the_login_shell_is_busybox() {
    whole_job(&SshdSetup::dropbear().login("root", "/run/shells/ash"), "sh", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_runs_as_a_user_that_is_not_root() {
    whole_job(&SshdSetup::open_ssh().login("ci", "/bin/bash"), "bash", "ed25519").await;
}

#[tokio::test]
async fn a_whole_job_of_sh_runs_on_dropbear_as_a_user_that_is_not_root() {
    whole_job(&SshdSetup::dropbear().login("ci", "/bin/sh"), "sh", "ed25519").await;
}

#[tokio::test]
async fn a_very_old_server_takes_no_rsa_signature_that_we_make_and_that_is_said() {
    // OpenSSH before 7.2 knows RSA only with SHA-1, which this driver does not sign with.
    let server = SshdSetup::old_open_ssh("diffie-hellman-group14-sha256", "rsa")
        .line("PubkeyAcceptedAlgorithms ssh-rsa");
    let Some(site) = site_with(&server).await else { return };
    site.set("defaults.ssh.client_key", "rsa");
    let job = site.job();
    let ended = job.prepare().await.with_code(fargate_tests::SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: the SSH server of the image refused our key");
    site.close().await;
}

#[tokio::test]
async fn a_script_runs_as_the_user_that_is_configured_and_sees_nothing_of_ours() {
    let server = SshdSetup::open_ssh().login("ci", "/bin/bash");
    let Some((site, job)) = prepared_on(&server).await else { return };
    let script = "id -un; pwd; echo $HOME; env; set; ps -ef 2>/dev/null; true";
    let ended = job.run(script).await.with_code(0);
    let out = ended.out();
    assert!(out.starts_with("ci\n/run/home-of-ci\n/run/home-of-ci\n"), "{out}");
    for name in ["FARGATE_RUNNER", "SSH_PUBLIC_KEY=", "CUSTOM_ENV_", "JOB_RESPONSE_FILE", "fr_"] {
        let line = out.lines().find(|line| line.starts_with(name));
        assert_eq!(line, None, "a script sees {name}");
    }
    assert_eq!(ended.err(), "");
    site.close().await;
}

/// Two jobs at once do not meet.
#[tokio::test]
async fn two_jobs_at_once_have_each_its_own_task_and_output() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    let site: CheckedHost = site;
    let (first, second) = (site.job(), site.job());
    let (one, two) = tokio::join!(first.prepare(), second.prepare());
    one.passed();
    two.passed();
    let script = |n| format!("echo {n} >>/builds/seen; sort -u /builds/seen");
    let (one, two) = tokio::join!(first.run(script("one")), second.run(script("two")));
    assert_eq!((one.out().as_str(), two.out().as_str()), ("one\n", "two\n"));
    site.close().await;
}
