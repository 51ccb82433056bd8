//! The faults of AWS as others play them: jobs go through `microburst` before the local cloud.

use std::collections::BTreeMap;
use std::rc::Rc;

use fargate_tests::{BUILD_FAILURE, Job, Microburst, SYSTEM_FAILURE, Site};
use serde_json::{Value, json};

use crate::block;

/// Jobs that share one bad proxy.
const JOBS: usize = 6;

/// The site's jobs reach its cloud through this proxy.
async fn behind(site: &Site, rules: Value) -> Option<Microburst> {
    Microburst::before(&site.cloud().endpoint(), site.folder(), rules).await
}

fn job(site: &Site, proxy: &Microburst) -> Rc<Job> {
    site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", proxy.endpoint()))
}

/// From `prepare` to `cleanup`.
async fn whole(site: &Site, job: &Job) {
    job.prepare().await.passed();
    assert_eq!(job.run("echo first").await.with_code(0).all(), "first\n");
    assert_eq!(job.run("echo second; exit 7").await.with_code(BUILD_FAILURE).all(), "second\n");
    assert_eq!(job.exit_code().as_deref(), Some("7\n"));
    job.cleanup().await.passed();
    assert_eq!(site.tasks_of(job).len(), 1);
}

fn rule(operation: &str, times: u32, effect: (&str, Value)) -> Value {
    json!({ "service": "ecs", "operation": operation, "times": times, (effect.0): effect.1 })
}

fn error(code: &str, status: u16) -> (&'static str, Value) {
    ("error", json!({ "code": code, "status": status, "message": "from another judge" }))
}

#[tokio::test]
async fn jobs_behind_a_proxy_of_aws_shaped_faults_succeed_with_one_task_each() {
    let site = Site::open().await;
    site.set("defaults.timeouts.api_attempt", "2s");
    let reset = || ("reset", json!(true));
    // The call took effect, and its answer breaks off.
    let broken_off = || ("response", json!({ "abort_bytes": 20 }));
    let rules = [
        rule("RunTask", 4, error("ThrottlingException", 400)),
        rule("RunTask", 2, error("ServerException", 500)),
        rule("RunTask", 2, error("ServiceUnavailable", 503)),
        rule("RunTask", 2, reset()),
        rule("RunTask", 2, broken_off()),
        rule("RunTask", 1, ("timeout_ms", json!(300))),
        rule("DescribeTasks", 4, error("ThrottlingException", 400)),
        rule("DescribeTasks", 2, error("InternalError", 500)),
        rule("DescribeTasks", 2, reset()),
        rule("DescribeTasks", 2, broken_off()),
        rule("DescribeTasks", 2, ("response", json!({ "truncate_frac": 0.5 }))),
        rule("StopTask", 3, error("ThrottlingException", 400)),
        rule("StopTask", 1, error("ServerException", 500)),
        rule("StopTask", 1, reset()),
        rule("StopTask", 1, broken_off()),
        json!({ "service": "*", "latency": { "min": 20, "max": 80 } }),
    ];
    let Some(proxy) = behind(&site, json!(rules)).await else { return site.close().await };
    let jobs: Vec<_> = (0..JOBS).map(|_| job(&site, &proxy)).collect();
    let [a, b, c, d, e, f] = &jobs[..] else { panic!("{JOBS} jobs") };
    tokio::join!(
        whole(&site, a),
        whole(&site, b),
        whole(&site, c),
        whole(&site, d),
        whole(&site, e),
        whole(&site, f),
    );
    let fired = proxy.fired();
    let mut counts = BTreeMap::<_, usize>::new();
    for one in &fired {
        // What was measured stands behind the word.
        let action = one.action.split([' ', '=', '(']).next().unwrap_or_default();
        *counts.entry(format!("{} {action}", one.operation)).or_default() += 1;
    }
    println!("{counts:?}");
    insta::assert_debug_snapshot!(counts, @"");
    assert_eq!(proxy.counter("microburst_faults_total"), fired.len());
    // What did not reach the cloud was not answered by it.
    assert!(proxy.counter("microburst_requests_total") > site.cloud().requests().len());
    site.close().await;
}

#[tokio::test]
async fn credentials_that_are_refused_in_the_front_layers_own_form_are_told_as_that() {
    for preset in ["ExpiredTokenException", "UnrecognizedClientException"] {
        let site = Site::open().await;
        let rules = json!([{ "service": "ecs", "error": { "code": preset, "status": 400 } }]);
        let Some(proxy) = behind(&site, rules).await else { return site.close().await };
        let job = job(&site, &proxy);
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        println!("{}", block(&ended));
        assert!(ended.error_line().contains("credentials"), "{}", block(&ended));
        assert!(site.cloud().tasks().is_empty());
        assert!(!proxy.fired().is_empty());
        site.close().await;
    }
}
