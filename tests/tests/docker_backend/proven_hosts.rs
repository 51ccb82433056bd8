//! `host_key = "sts"` in containers: they get credentials of their task's role, and prove their host key
//! by them.

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};

use crate::{close, engine, host_on};

/// The role of the task.
const ROLE: &str = "arn:aws:iam::123456789012:role/teams/ci-task";

#[tokio::test]
async fn a_job_in_a_container_proves_its_host_key_by_the_role_of_its_task() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let container = ContainerDefinition::builder().name("job").image(engine.image_id());
    let call = site.ecs().register_task_definition().family("proven");
    let call = call.network_mode(NetworkMode::Awsvpc).cpu("256").memory("512");
    let call = call.requires_compatibilities(Compatibility::Fargate).task_role_arn(ROLE);
    call.container_definitions(container.build()).send().await.expect("the cloud takes it");
    site.set("defaults.task_definition", "proven");
    site.set("defaults.task_role", ROLE);
    site.set("defaults.host_key", "sts");
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL", site.cloud().endpoint()));
    let ended = job.prepare().await.with_code(0);
    let line = ended.out().lines().find(|line| line.contains("host key")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("no host key in {}", ended.out()));
    assert!(line.ends_with("proven by the task role ci-task"), "{line}");
    assert!(!site.task_of(&job).environment.contains_key("FARGATE_RUNNER_HOST_KEY_SEED"));
    // The script's own programs find the credentials, too, at this machine's address in their network.
    let place = job.run("echo $AWS_CONTAINER_CREDENTIALS_FULL_URI").await.with_code(0).out();
    let host = site.cloud().host_address().await.expect("the network of the task");
    assert!(place.starts_with(&format!("http://{host}:")), "{place}");
    let ask = "rest=${AWS_CONTAINER_CREDENTIALS_FULL_URI#http://}; place=${rest%%/*}; \
               exec 3<>/dev/tcp/${place%:*}/${place#*:}; \
               printf 'GET /%s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' \"${rest#*/}\" \"$place\" >&3; \
               grep -o '\"RoleArn\":\"[^\"]*\"' <&3";
    let said = job.run(ask).await.with_code(0).out();
    assert_eq!(said, "\"RoleArn\":\"arn:aws:iam::123456789012:role/ci-task\"\n");
    assert_eq!(site.calls("GetCallerIdentity"), 1);
    job.cleanup().await.passed();
    close(engine, site).await;
}
