//! Whoever is not the profile's own job does not get the values: another job, the host with its logs and
//! records, a reader of the account, a person at the Docker Engine who looks at another container.

use std::fs;

use fargate_tests::{CheckedHost, TestJob, contains, files_below};

use crate::{PARTS, engine, holds_no_secret, host_with, job_with_keys};

/// What a script of another job finds of the secrets, in its environment, its processes and its files.
const SEARCH: &str = r#"
env | grep -c -e 'canary-[kt]' -e NPM_TOKEN -e DEPLOY_KEY
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -ac 'canary-[kt]'
ls -d /dev/shm/fargate-runner-secrets-* /run/fargate-runner-secrets-* /tmp/fargate-runner-secrets-* 2>/dev/null | wc -l
"#;

/// Every file of the host and of the cloud, and every command line of this machine.
fn searched_on_this_machine(host: &CheckedHost) {
    for folder in [host.folder(), host.cloud().folder()] {
        for path in files_below(folder) {
            let bytes = fs::read(&path).unwrap_or_default();
            for part in PARTS {
                assert!(!contains(&bytes, part.as_bytes()), "{} holds {part}", path.display());
            }
        }
    }
    for process in fs::read_dir("/proc").expect("a list of processes").flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        holds_no_secret("a command line", &String::from_utf8_lossy(&line));
    }
}

/// What a person sees who may read everything in the account and change nothing.
async fn searched_in_the_account(host: &CheckedHost, job: &TestJob) {
    let (ecs, arn) = (host.ecs(), host.task_of(job).arn);
    let tasks = ecs.describe_tasks().cluster("ci").tasks(&arn).send().await.expect("the task");
    let definition = tasks.tasks()[0].task_definition_arn().expect("it has one").to_owned();
    let shown = ecs.describe_task_definition().task_definition(definition).send().await;
    let shown = shown.expect("the definition");
    let listed = ecs.list_tasks().cluster("ci").send().await.expect("a list");
    let secrets = shown.task_definition().expect("one").container_definitions()[0].secrets();
    assert_eq!(secrets.len(), 2, "the reader sees where they are: {shown:?}");
    holds_no_secret(
        "ECS",
        &format!("{tasks:?}\n{shown:?}\n{listed:?}\n{:?}", host.cloud().tasks()),
    );
    let requests = format!("{:?}", host.cloud().requests());
    holds_no_secret("a request", &requests);
    // ECS reads the values, with the execution role. The driver asks for none.
    for operation in ["GetSecretValue", "GetParameter", "GetParameters"] {
        assert_eq!(host.calls(operation), 0, "{operation} of the driver");
    }
}

#[tokio::test]
async fn no_other_job_no_file_no_log_and_no_answer_of_ecs_has_a_secret() {
    let host = host_with(None).await;
    host.set("log_level", "trace");
    let (job, other) = (job_with_keys(&host), host.job());
    job.prepare().await.passed();
    other.prepare().await.passed();
    let busy = job.start_run("cat \"$DEPLOY_KEY\" > /dev/null; read -r _ < /dev/zero & wait");
    assert_eq!(other.run(SEARCH).await.with_code(0).out(), "0\n0\n0\n");
    searched_on_this_machine(&host);
    searched_in_the_account(&host, &job).await;
    assert!(job.state().is_some(), "the record was among the files");
    job.cleanup().await.passed();
    let _ = job.heard(busy).await;
    assert!(job.tombstone().exists(), "the tombstone is among the files");
    searched_on_this_machine(&host);
    for said in job.said().iter().chain(&other.said()) {
        holds_no_secret("what a stage said", &said.all());
    }
    host.close().await;
}

#[tokio::test]
async fn a_container_of_another_job_shows_no_secret_to_whoever_inspects_it() {
    let Some(engine) = engine() else { return };
    let host = host_with(Some(engine)).await;
    let (job, other) = (job_with_keys(&host), host.job());
    job.prepare().await.passed();
    other.prepare().await.passed();
    assert_eq!(other.run(SEARCH).await.with_code(0).out(), "0\n0\n0\n");
    let task = host.task_of(&job).arn;
    let id = task.rsplit('/').next().expect("an id");
    let (mut own, mut others) = (0, 0);
    for container in engine.containers(host.cloud().folder()).expect("an engine that answers") {
        let shown = engine.inspect(&container.id).expect("an engine that answers").to_string();
        if shown.contains(id) && container.name.is_some() {
            // An engine shows the variables of a container to whoever may inspect it.
            own += 1;
            continue;
        }
        others += 1;
        holds_no_secret(&format!("the container {:?}", container.name), &shown);
    }
    assert_eq!((own, others), (1, 3), "the other job's container, and two that hold a network");
    searched_on_this_machine(&host);
    searched_in_the_account(&host, &job).await;
    host.close().await;
}
