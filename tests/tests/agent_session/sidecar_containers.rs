//! Tasks with several containers, as log routers, service meshes and monitoring have them. If an
//! essential container beside the job's ends, the task ends, and the message names that container.

use std::rc::Rc;

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, LogConfiguration, LogDriver, NetworkMode,
};
use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob, scenes};

/// A container whose output is kept.
fn container(name: &str, script: Option<&str>) -> ContainerDefinition {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", "/ci/jobs")
        .options("awslogs-region", "eu-west-1")
        .options("awslogs-stream-prefix", "log");
    let command = script.map(|script| ["sh", "-c", script].map(str::to_owned).to_vec());
    ContainerDefinition::builder()
        .name(name)
        .image(format!("registry.example/{name}:2"))
        .essential(name != "init")
        .set_command(command)
        .log_configuration(log.build().expect("it has a driver"))
        .build()
}

/// A job whose task has these containers.
async fn with_containers(site: &CheckedHost, containers: Vec<ContainerDefinition>) -> Rc<TestJob> {
    site.ecs()
        .register_task_definition()
        .family("several")
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .execution_role_arn("arn:aws:iam::123456789012:role/execution")
        .cpu("1024")
        .memory("2048")
        .set_container_definitions(Some(containers))
        .send()
        .await
        .expect("a definition that the cloud takes");
    site.set("defaults.task_definition", "several");
    let endpoint = site.cloud().endpoint();
    site.job_with(|job| job.set("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", endpoint))
}

#[tokio::test]
async fn a_container_that_ends_beside_a_script_is_named_with_its_code_and_its_last_lines() {
    for exit in [1, 0, 137] {
        for first in [true, false] {
            let site = CheckedHost::open().await;
            let script = format!("echo serving; sleep 4; echo giving up; exit {exit}");
            let mut containers = vec![container("job", None), container("proxy", Some(&script))];
            if first {
                containers.reverse();
            }
            let job = with_containers(&site, containers).await;
            job.prepare().await.passed();
            let ended = job.run("echo up; exec sleep 100").await.with_code(SYSTEM_FAILURE);
            assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
            let said = ended.err();
            let line = format!(
                "fargate-runner: error: container proxy of the task ended (exit {exit}) (ECS: \
                 \"Essential container in task exited\"). Find out why it ended; if jobs can go on \
                 without it, set `essential` to false (cause: container-ended)\n"
            );
            assert!(said.contains(&line), "{said}");
            assert!(said.ends_with("):\n  serving\n  giving up\n"), "{said}");
            site.close().await;
        }
    }
}

#[tokio::test]
async fn a_script_that_fails_because_its_sidecar_is_gone_has_not_failed_by_itself() {
    let site = CheckedHost::open().await;
    let proxy = container("proxy", Some("sleep 3; exit 1"));
    let job = with_containers(&site, vec![container("job", None), proxy]).await;
    job.prepare().await.passed();
    // It ends by itself, and before its agent tells it to.
    let ended = job.run("echo up; sleep 6; exit 7").await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    let expected = "fargate-runner: error: container proxy of the task ended (exit 1)";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_job_beside_other_containers_is_still_to_blame_for_what_it_ends_itself() {
    for (script, status) in [
        ("echo up; kill -TERM 1; sleep 100", "143\n"),
        ("echo up; kill -9 2; sleep 100", "137\n"),
        // Killed once it has said that it is to end, as it would if ECS had told it.
        ("trap '' TERM; echo up; kill -TERM 1; sleep 0.5; kill -9 2; sleep 100", "143\n"),
        ("trap '' TERM; echo up; kill -TERM 2; sleep 0.5; kill -9 2; sleep 100", "143\n"),
    ] {
        let site = CheckedHost::open().await;
        let proxy = container("proxy", Some("trap 'exit 0' TERM; sleep 1000 & wait"));
        // Its end is none of the task's.
        let init = container("init", Some("exit 0"));
        let containers = vec![init, proxy, container("job", None)];
        let job = with_containers(&site, containers).await;
        job.prepare().await.passed();
        // Nobody sees which one ends first: the first answer of ECS shows both as ended.
        let rules =
            "DescribeTasks until 5s: throttle".parse().expect("rules of the cloud's language");
        site.cloud().set_faults(rules);
        let ended = job.run(script).await.with_code(BUILD_FAILURE);
        let line = ended.error_line();
        let expected = "fargate-runner: error: the job ended its own environment";
        assert!(line.starts_with(expected), "{script}: {line}");
        assert_eq!(job.exit_code().as_deref(), Some(status), "{script}");
        site.close().await;
    }
}

#[tokio::test]
async fn in_prepare_a_wrong_program_in_the_jobs_own_container_is_blamed_on_no_other() {
    let site = CheckedHost::open().await;
    let proxy = container("proxy", Some("trap 'exit 143' TERM; sleep 1000 & wait"));
    let job = with_containers(&site, vec![proxy, container("job", Some("exit 0"))]).await;
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: the agent ended at once");
    site.close().await;
}

#[tokio::test]
async fn words_of_memory_about_the_task_are_no_words_about_the_job_s_container() {
    let site = CheckedHost::open().await;
    let proxy = container("proxy", Some("sleep 1000"));
    let job = with_containers(&site, vec![proxy, container("job", None)]).await;
    let (code, reason) = scenes::OUT_OF_MEMORY;
    let rules = format!("every task at RUNNING + 5s: stop {code} \"{reason}\" exit 143");
    site.cloud().set_faults(rules.parse().expect("rules of the cloud's language"));
    job.prepare().await.passed();
    let line = job.run("echo up; exec sleep 100").await.with_code(SYSTEM_FAILURE).error_line();
    assert!(line.starts_with("fargate-runner: error: container proxy of the task ended"), "{line}");
    site.close().await;
}

#[tokio::test]
async fn in_prepare_a_container_that_ends_is_named_and_not_the_agent() {
    for exit in [1, 0] {
        let site = CheckedHost::open().await;
        let script = format!("echo no configuration; sleep 1; exit {exit}");
        let proxy = container("proxy", Some(&script));
        // What would be the agent has not come so far yet.
        let job = container("job", Some("trap 'exit 143' TERM; sleep 1000 & wait"));
        let job = with_containers(&site, vec![proxy, job]).await;
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let out = ended.out();
        let headline = format!("error: container proxy of the task ended (exit {exit})");
        assert_eq!(ended.error_line(), headline);
        assert!(out.contains("    no configuration\n") && !out.contains("agent"), "{out}");
        // The next try may find it better.
        job.cleanup().await.passed();
        assert_eq!(job.prepare().await.with_code(SYSTEM_FAILURE).error_line(), headline);
        site.close().await;
    }
}
