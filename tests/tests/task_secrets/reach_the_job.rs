//! The profile's own job has the values: as a variable, and as a file that only its user may read.

use fargate_tests::{CheckedHost, TestEngine, have};

use crate::openssh_client::DebugLogin;
use crate::{KEY, TOKEN, engine, hash, holds_no_secret, host_with, job_with_keys};

/// Shows what a script has, without a value in the output. The pattern of the search does not find itself.
const SCRIPT: &str = r#"
echo "variable $(printf %s "$NPM_TOKEN" | sha256sum | cut -d' ' -f1)"
echo "file $(sha256sum < "$DEPLOY_KEY" | cut -d' ' -f1)"
echo "mode $(stat -c '%a %u' "$DEPLOY_KEY") in $(stat -c '%a %u' "$(dirname "$DEPLOY_KEY")")"
echo "user $(id -u)"
echo "on $(stat -f -c %T "$DEPLOY_KEY")"
echo "agent's own $(env | grep -c '^FARGATE_RUNNER_')"
echo "seen $(cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -ac 'canary-[k]ey')"
"#;

/// What the script says where all is right.
fn expected() -> String {
    let (variable, file) = (hash(TOKEN), hash(KEY));
    format!(
        "variable {variable}\nfile {file}\nmode 400 0 in 700 0\nuser 0\non tmpfs\nagent's own 0\nseen 0\n"
    )
}

async fn reaches_its_job(engine: Option<&TestEngine>) -> CheckedHost {
    let host = host_with(engine).await;
    let job = job_with_keys(&host);
    job.prepare().await.passed();
    // Each script of the job has them.
    for _ in 0..2 {
        assert_eq!(job.run(SCRIPT).await.with_code(0).out(), expected());
    }
    job.cleanup().await.passed();
    for said in job.said() {
        holds_no_secret("what a stage said", &said.all());
    }
    host
}

#[tokio::test]
async fn a_secret_is_a_variable_or_a_file_of_the_job_s_user_alone() {
    reaches_its_job(None).await.close().await;
}

#[tokio::test]
async fn a_secret_is_a_variable_or_a_file_in_a_container_too() {
    let Some(engine) = engine() else { return };
    reaches_its_job(Some(engine)).await.close().await;
}

#[tokio::test]
async fn a_command_of_a_person_has_what_the_jobs_of_the_profile_have() {
    let host = host_with(None).await;
    let arguments = ["--profile", "keys", "exec", "-q", "--", "sh", "-c", SCRIPT];
    let ended = host.start(&arguments).ended().await.with_code(0);
    assert_eq!(ended.out(), expected());
    if !have("ssh") {
        return host.close().await;
    }
    // A person who logs in to a job's task with `ssh` has no more.
    let job = job_with_keys(&host);
    job.prepare().await.passed();
    let login = DebugLogin::to(&host, &job);
    job.heard(login.start_as("root")).await.with_code(0);
    assert_eq!(job.heard(login.start(&[], &[SCRIPT])).await.with_code(0).out(), expected());
    host.close().await;
}

#[tokio::test]
async fn a_file_ends_with_its_task() {
    let host = host_with(None).await;
    let job = job_with_keys(&host);
    job.prepare().await.passed();
    job.run("cat \"$DEPLOY_KEY\" > /dev/null").await.passed();
    job.cleanup().await.passed();
    let other = job_with_keys(&host);
    other.prepare().await.passed();
    // One folder: that of the other task. The former task's is in no memory that it shares.
    let said =
        other.run("ls -d /dev/shm/fargate-runner-secrets-* /run/fargate-runner-secrets-* | wc -l");
    assert_eq!(said.await.with_code(0).out().trim(), "1");
    host.close().await;
}

#[tokio::test]
async fn a_new_value_reaches_the_next_job() {
    let host = host_with(None).await;
    let job = job_with_keys(&host);
    job.prepare().await.passed();
    host.cloud().put_secret("ci/npm", r#"{"token":"rotated"}"#).expect("a new version");
    let script = "printf %s \"$NPM_TOKEN\" | sha256sum | cut -d' ' -f1";
    assert_eq!(job.run(script).await.with_code(0).out().trim(), hash(TOKEN));
    let next = job_with_keys(&host);
    next.prepare().await.passed();
    assert_eq!(next.run(script).await.with_code(0).out().trim(), hash("rotated"));
    // The value alone has changed, so both jobs run the same revision.
    assert_eq!(host.calls("RegisterTaskDefinition"), 1);
    host.close().await;
}
