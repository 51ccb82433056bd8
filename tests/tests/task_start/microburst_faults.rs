//! AWS faults from a program that others wrote: calls go through `microburst` to the local cloud.

use std::collections::BTreeMap;
use std::rc::Rc;

use fargate_tests::{BUILD_FAILURE, CheckedHost, MicroburstProxy, SYSTEM_FAILURE, TestJob};
use serde_json::{Value, json};

use crate::block;

/// Jobs that share one bad proxy.
const JOBS: usize = 6;

/// The site's jobs reach its cloud through this proxy.
async fn behind(site: &CheckedHost, rules: Vec<Value>) -> Option<MicroburstProxy> {
    MicroburstProxy::before(&site.cloud().endpoint(), rules).await
}

fn job_behind(proxy: &MicroburstProxy, site: &CheckedHost) -> Rc<TestJob> {
    site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", proxy.endpoint()))
}

/// From `prepare` to `cleanup`.
async fn whole(site: &CheckedHost, job: &TestJob) {
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
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.aws_connect", "2s");
    site.set("defaults.timeouts.aws_attempt", "2s");
    let reset = || ("reset", json!(true));
    // The call took effect, and its answer breaks off.
    let broken_off = || ("response", json!({ "abort_bytes": 20 }));
    let rules = vec![
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
    let Some(proxy) = behind(&site, rules).await else { return site.close().await };
    let jobs: Vec<_> = (0..JOBS).map(|_| job_behind(&proxy, &site)).collect();
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
    let count = |operation: &str| {
        let mut counts = BTreeMap::<_, usize>::new();
        let of = fired.iter().filter(|fired| fired.operation == operation);
        // Any number of calls may be late, and any number may pass without a fault.
        for fired in of.filter(|fired| !fired.action.starts_with("latency")) {
            *counts.entry(fired.action.clone()).or_default() += 1;
        }
        counts
    };
    // Each call was repeated after a fault, so every fault has happened.
    insta::assert_debug_snapshot!(count("RunTask"), @r#"
    {
        "error:ServerException": 2,
        "error:ServiceUnavailable": 2,
        "error:ThrottlingException": 4,
        "reset": 2,
        "response:abort": 2,
        "timeout:300ms": 1,
    }
    "#);
    insta::assert_debug_snapshot!(count("StopTask"), @r#"
    {
        "error:ServerException": 1,
        "error:ThrottlingException": 3,
        "reset": 1,
        "response:abort": 1,
    }
    "#);
    assert!(count("DescribeTasks").values().sum::<usize>() >= JOBS, "{fired:?}");
    assert!(fired.iter().any(|fired| fired.action.starts_with("latency")), "{fired:?}");
    assert!(proxy.counter("microburst_faults_total") >= fired.len());
    // The cloud has not answered calls that did not reach it.
    assert!(proxy.counter("microburst_requests_total") > site.cloud().requests().len());
    site.close().await;
}

#[tokio::test]
async fn credentials_that_are_refused_in_the_front_layers_own_form_are_told_as_that() {
    for code in ["ExpiredTokenException", "UnrecognizedClientException"] {
        let site = CheckedHost::open().await;
        let rules = vec![rule("RunTask", 100, error(code, 400))];
        let Some(proxy) = behind(&site, rules).await else { return site.close().await };
        let job = job_behind(&proxy, &site);
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), "error: the AWS credentials of this host do not work");
        let told = format!("ECS: \"{code}: from another judge\"");
        assert!(block(&ended).contains(&told), "{}", block(&ended));
        // Once more with keys that were read anew, and once to learn whether anything was started.
        assert!((1..=4).contains(&proxy.fired().len()), "{:?}", proxy.fired());
        assert_eq!(site.calls("RunTask"), 0);
        proxy.inject_no_more();
        job.cleanup().await.passed();
        // They were renewed.
        whole(&site, &job_behind(&proxy, &site)).await;
        site.close().await;
    }
}
