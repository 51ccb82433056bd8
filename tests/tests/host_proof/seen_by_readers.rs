//! What somebody sees who may read everything in the account and change nothing: every request that was
//! made, as `CloudTrail` keeps it, and what DescribeTasks shows. None of it helps against a task.

use std::collections::BTreeSet;

use fargate_tests::CheckedHost;

use crate::{job, site};

/// All that such a reader sees: the requests, and the tasks as ECS describes them.
async fn seen(site: &CheckedHost, task: &str) -> String {
    let requests = site.cloud().requests();
    let bodies: Vec<_> = requests.iter().map(|r| format!("{} {}", r.operation, r.body)).collect();
    let told =
        site.ecs().describe_tasks().cluster("ci").tasks(task).send().await.expect("an answer");
    let overrides = told.tasks().iter().filter_map(|task| task.overrides());
    let pairs =
        overrides.flat_map(|own| own.container_overrides()).flat_map(|own| own.environment());
    let shown: Vec<_> = pairs.map(|pair| format!("{:?}={:?}", pair.name(), pair.value())).collect();
    assert!(!shown.is_empty(), "DescribeTasks shows the variables: {told:?}");
    format!("{}\n{told:?}\n{}", bodies.join("\n"), shown.join("\n"))
}

#[tokio::test]
async fn no_request_of_a_job_holds_a_secret() {
    let site = site().await;
    let job = job(&site);
    job.prepare().await.passed();
    let task = site.task_of(&job);
    let names: BTreeSet<_> = task.environment.keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "FARGATE_RUNNER_CLIENT_GONE_S",
        "FARGATE_RUNNER_HOST_KEY",
        "FARGATE_RUNNER_IDLE_S",
        "FARGATE_RUNNER_JOB",
        "FARGATE_RUNNER_LIFETIME_S",
        "FARGATE_RUNNER_PORT",
        "SSH_PUBLIC_KEY",
    ]);
    let given: BTreeSet<_> = names.difference(&expected).copied().collect();
    assert_eq!((given, &task.environment["FARGATE_RUNNER_HOST_KEY"][..]), (BTreeSet::new(), "sts"));
    // The secrets of the task: the client key, and the credentials that only its containers get.
    let client_key = job.state().expect("a state file")["client_key"].clone();
    let client_key =
        client_key.as_str().expect("a text").lines().nth(1).expect("base64").to_owned();
    let script = "exec 3<>/dev/tcp/${AWS_CONTAINER_CREDENTIALS_FULL_URI:7:9}/\
                  $(echo $AWS_CONTAINER_CREDENTIALS_FULL_URI | cut -d: -f3 | cut -d/ -f1); \
                  printf 'GET /%s HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' \
                  \"$(echo $AWS_CONTAINER_CREDENTIALS_FULL_URI | cut -d/ -f4-)\" >&3; cat <&3";
    let said = job.run(script).await.with_code(0).out();
    let secret =
        said.split("\"SecretAccessKey\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let secret = secret.unwrap_or_else(|| panic!("no credentials in {said}")).to_owned();
    job.cleanup().await.passed();
    let all = seen(&site, &task.arn).await;
    assert!(all.contains("RunTask") && all.contains("GetCallerIdentity"), "{all}");
    for secret in [&client_key, &secret] {
        assert!(secret.len() >= 40 && !all.contains(secret), "a reader sees {secret}");
    }
    assert!(!all.contains("SEED") && !all.contains("PRIVATE KEY"), "{all}");
    // The same look finds the seed where there is one.
    site.set("defaults.host_key", "seed");
    let seeded = crate::job(&site);
    seeded.prepare().await.passed();
    let task = site.task_of(&seeded);
    let seed = &task.environment["FARGATE_RUNNER_HOST_KEY_SEED"];
    let all = seen(&site, &task.arn).await;
    // In RunTask, and in what DescribeTasks shows.
    assert!(all.matches(seed.as_str()).count() >= 2, "{all}");
    site.close().await;
}
