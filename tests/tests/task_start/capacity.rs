//! Capacity and addresses that are missing in one place: the next subnet, the next provider, and a
//! provider that is left alone because it failed often.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob, until};
use serde_json::Value;

use crate::block;
use crate::fault_rules::give;

const NO_CAPACITY: &str = "failure \"Capacity is unavailable at this time. Please try again later or \
                           in a different availability zone\"";
/// In the order in which the first jobs of a site try them.
const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];

/// A site whose tasks run on Spot.
async fn on_spot() -> CheckedHost {
    let site = CheckedHost::open().await;
    let strategy: toml::Table =
        "it = [{ provider = \"FARGATE_SPOT\" }]".parse().expect("a strategy");
    site.set("defaults.capacity_provider_strategy", strategy["it"].clone());
    site
}

/// A site whose tasks run on Spot, or on demand if that does not work.
async fn on_spot_or_demand() -> CheckedHost {
    let site = on_spot().await;
    site.set("defaults.capacity_fallback", vec!["FARGATE"]);
    site
}

/// The places that were asked for since the `from`th RunTask: the provider and the subnet's number.
fn places(site: &CheckedHost, from: usize) -> Vec<(String, usize)> {
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask").skip(from);
    let place = |body: &Value| {
        let provider = body["capacityProviderStrategy"][0]["capacityProvider"].as_str();
        let provider = provider.or(body["launchType"].as_str()).unwrap_or_default().to_owned();
        let subnet = &body["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0];
        let number = SUBNETS.iter().position(|known| subnet == known).expect("a known subnet");
        (provider, number)
    };
    asked.map(|request| place(&request.body)).collect()
}

fn expected(places: &[(&str, usize)]) -> Vec<(String, usize)> {
    places.iter().map(|(provider, subnet)| ((*provider).to_owned(), *subnet)).collect()
}

/// The file of the one breaker.
fn breaker_file(site: &CheckedHost) -> std::path::PathBuf {
    let tombstones = std::fs::read_dir(site.state_dir().join("tombstones")).expect("a folder");
    let mut paths = tombstones.map(|entry| entry.expect("an entry").path());
    let is_breaker = |path: &std::path::PathBuf| path.to_string_lossy().contains("/capacity-");
    paths.find(is_breaker).expect("a breaker's file")
}

/// Prepares a job and gives the places that it asked for, and its log.
async fn prepare(site: &CheckedHost, job: &TestJob) -> (Vec<(String, usize)>, String) {
    let before = site.calls("RunTask");
    let ended = job.prepare().await.with_code(0);
    (places(site, before), ended.out())
}

#[tokio::test]
async fn without_capacity_in_one_zone_the_other_is_tried_and_the_log_says_so() {
    let site = CheckedHost::open().await;
    give(&site, &format!("RunTask for task in eu-west-1a: {NO_CAPACITY}"));
    let job = site.job();
    let (asked, out) = prepare(&site, &job).await;
    assert_eq!(asked, expected(&[("FARGATE", 0), ("FARGATE", 1)]));
    let told = "FARGATE in subnet-0a1b2c3d4e5f60718: no capacity, trying FARGATE in \
                subnet-0b2c3d4e5f607182a\n";
    assert!(out.starts_with(told), "{out}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_subnet_whose_addresses_are_used_up_is_followed_by_the_next_one() {
    let site = CheckedHost::open().await;
    give(
        &site,
        "task in eu-west-1a at PROVISIONING: stop TaskFailedToStart \"Unexpected EC2 error while \
         attempting to Create Network Interface in subnet 'subnet-0a1b2c3d4e5f60718': \
         InsufficientFreeAddressesInSubnet\"",
    );
    let job = site.job();
    let (asked, out) = prepare(&site, &job).await;
    assert_eq!(asked, expected(&[("FARGATE", 0), ("FARGATE", 1)]));
    let told = "starting another task (1 of 3): FARGATE in subnet-0b2c3d4e5f607182a\n";
    assert!(out.contains(told), "{out}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn without_capacity_on_spot_the_configured_second_choice_is_tried() {
    let site = on_spot_or_demand().await;
    give(&site, &format!("RunTask for task on FARGATE_SPOT: {NO_CAPACITY}"));
    let job = site.job();
    let (asked, out) = prepare(&site, &job).await;
    assert_eq!(asked, expected(&[("FARGATE_SPOT", 0), ("FARGATE_SPOT", 1), ("FARGATE", 0)]));
    let lines: Vec<_> = out.lines().take(3).collect();
    assert_eq!(
        lines[..2],
        [
            "FARGATE_SPOT in subnet-0a1b2c3d4e5f60718: no capacity, trying FARGATE_SPOT in \
             subnet-0b2c3d4e5f607182a",
            "FARGATE_SPOT in subnet-0b2c3d4e5f607182a: no capacity, trying FARGATE in \
             subnet-0a1b2c3d4e5f60718",
        ]
    );
    assert!(lines[2].contains(" accepted: ") && lines[2].contains("on demand"), "{out}");
    job.run("true").await.passed();
    site.close().await;
}

/// I8: nothing runs on capacity that the configuration does not name.
#[tokio::test]
async fn without_a_configured_second_choice_nothing_else_is_tried() {
    let site = on_spot().await;
    site.set("defaults.timeouts.prepare", "1s");
    site.set("defaults.timeouts.task_start", "1s");
    give(&site, &format!("RunTask for task on FARGATE_SPOT: {NO_CAPACITY}"));
    let ended = site.job().prepare().await.with_code(SYSTEM_FAILURE);
    assert!(block(&ended).starts_with("error: no Fargate capacity in "), "{}", ended.out());
    let asked = places(&site, 0);
    assert!(asked.len() >= 2 && asked.iter().all(|(provider, _)| provider == "FARGATE_SPOT"));
    site.close().await;
}

#[tokio::test]
async fn without_capacity_anywhere_the_time_of_prepare_limits_all_tries_together() {
    let site = on_spot_or_demand().await;
    site.set("defaults.timeouts.prepare", "1s");
    site.set("defaults.timeouts.task_start", "1s");
    give(&site, &format!("RunTask: {NO_CAPACITY}"));
    let ended = site.job().prepare().await.with_code(SYSTEM_FAILURE);
    let told = block(&ended);
    assert!(told.contains("Tried in this order: FARGATE_SPOT, FARGATE."), "{told}");
    assert!(ended.took < std::time::Duration::from_secs(10), "{:?}", ended.took);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_spot_takes_back_before_its_job_begins_is_followed_by_one_on_demand() {
    let site = on_spot_or_demand().await;
    give(&site, "task on FARGATE_SPOT at PENDING: interrupt 0s");
    let job = site.job();
    let (asked, out) = prepare(&site, &job).await;
    assert_eq!(asked, expected(&[("FARGATE_SPOT", 0), ("FARGATE", 0)]));
    let told = "starting another task (1 of 3): FARGATE in subnet-0a1b2c3d4e5f60718\n";
    assert!(out.contains("AWS took the Spot task back") && out.contains(told), "{out}");
    let tasks = site.tasks_of(&job);
    assert_eq!(tasks[0].stop_code.as_deref(), Some("SpotInterruption"));
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_provider_that_failed_often_is_left_alone_for_a_while_by_all_jobs() {
    let site = on_spot_or_demand().await;
    site.set("defaults.limits.capacity_failures", 2);
    give(&site, &format!("RunTask for task on FARGATE_SPOT: {NO_CAPACITY}"));
    for _ in 0..2 {
        let (asked, _) = prepare(&site, &site.job()).await;
        assert_eq!(asked.len(), 3, "{asked:?}");
    }
    let (asked, out) = prepare(&site, &site.job()).await;
    assert!(asked.len() == 1 && asked[0].0 == "FARGATE", "{asked:?}");
    let told = "FARGATE_SPOT failed often lately and is left alone for ";
    assert!(out.starts_with(told) && out.contains(": beginning with FARGATE in "), "{out}");
    assert!(site.log().contains("capacity.avoided"), "{}", site.log());
    // A quarter of an hour later Spot has capacity again.
    site.cloud().clear_faults();
    let file = breaker_file(&site);
    let text = std::fs::read_to_string(&file).expect("a file");
    let mut state: Value = serde_json::from_str(&text).expect("JSON");
    state["opened_s"] = (state["opened_s"].as_u64().expect("a time") - 15 * 60).into();
    std::fs::write(&file, state.to_string()).expect("a writable file");
    let job = site.job();
    let (asked, out) = prepare(&site, &job).await;
    assert!(asked.len() == 1 && asked[0].0 == "FARGATE_SPOT", "{asked:?}");
    assert!(!out.contains("left alone") && out.contains("Spot"), "{out}");
    // The same with a file that somebody damaged while the provider was left alone.
    std::fs::write(&file, text.replace('{', "")).expect("a writable file");
    let (asked, _) = prepare(&site, &site.job()).await;
    assert!(asked.len() == 1 && asked[0].0 == "FARGATE_SPOT", "{asked:?}");
    site.close().await;
}

#[tokio::test]
async fn spot_that_takes_a_task_back_in_mid_job_warns_first_and_is_counted_once() {
    let site = on_spot_or_demand().await;
    site.set("defaults.limits.capacity_failures", 1);
    let job = site.prepared().await;
    let mut running = job.start_run("trap '' TERM; echo begin; sleep 60 & wait; sleep 60");
    running.wrote("begin").await;
    give(&site, "task on FARGATE_SPOT at RUNNING: interrupt 8s");
    running.told("AWS takes this Spot task back, and ends it within two minutes").await;
    assert_eq!(site.task_of(&job).last_status, "RUNNING", "the warning comes before the end");
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("begin\n", None));
    let err = ended.err();
    let warned = err.find("fargate-runner: AWS takes this Spot task back").expect("a warning");
    let said = "fargate-runner: error: AWS took the Spot task back";
    let verdict = err.find(said).unwrap_or_else(|| panic!("no verdict in {err}"));
    assert!(warned < verdict, "{err}");
    // A later stage of the job meets the same end. It is one interruption.
    job.run("true").await.with_code(SYSTEM_FAILURE);
    let state = std::fs::read_to_string(breaker_file(&site)).expect("a file");
    assert!(state.contains("\"opened_s\":"), "{state}");
    until("it stopped", || site.task_of(&job).last_status == "STOPPED").await;
    assert_eq!(site.task_of(&job).stop_code.as_deref(), Some("SpotInterruption"));
    site.cloud().clear_faults();
    let (asked, out) = prepare(&site, &site.job()).await;
    assert!(asked.len() == 1 && asked[0].0 == "FARGATE", "{asked:?}: {out}");
    site.close().await;
}

#[tokio::test]
async fn a_script_that_ends_in_the_two_minutes_of_the_warning_has_its_own_verdict() {
    let site = on_spot().await;
    let job = site.prepared().await;
    let script = "echo begin; until [ -e /tmp/go ]; do sleep 0.1; done; echo end";
    let mut running = job.start_run(format!("(sleep 2; touch /tmp/go) & {script}"));
    running.wrote("begin").await;
    give(&site, "task on FARGATE_SPOT at RUNNING: interrupt 20s");
    let ended = job.heard(running).await.with_code(0);
    assert_eq!(ended.out(), "begin\nend\n", "a line of ours stands on stderr");
    site.close().await;
}

#[tokio::test]
async fn tags_of_the_definition_and_of_ecs_reach_the_task() {
    let site = CheckedHost::open().await;
    site.prepared().await;
    site.set("defaults.propagate_tags", "task_definition");
    site.set("defaults.enable_ecs_managed_tags", true);
    let described = site.ecs().describe_task_definition().task_definition("ci-job").send().await;
    let described = described.expect("a definition");
    let definition = described.task_definition().and_then(|own| own.task_definition_arn());
    let definition = definition.expect("an ARN").to_owned();
    let tag = aws_sdk_ecs::types::Tag::builder().key("cost").value("ci").build();
    let tagged = site.ecs().tag_resource().resource_arn(definition).tags(tag).send().await;
    tagged.expect("a tagged definition");
    let job = site.prepared().await;
    let requests = site.cloud().requests();
    let asked: Vec<_> = requests.iter().filter(|one| one.operation == "RunTask").collect();
    for member in ["propagateTags", "enableECSManagedTags"] {
        assert!(asked[0].body[member].is_null(), "{member} is not sent unless it is wanted");
    }
    assert_eq!(asked[1].body["propagateTags"], "TASK_DEFINITION");
    assert_eq!(asked[1].body["enableECSManagedTags"], true);
    let tags = site.task_of(&job).tags;
    assert_eq!(tags.get("cost").map(String::as_str), Some("ci"), "{tags:?}");
    assert_eq!(tags.get("aws:ecs:clusterName").map(String::as_str), Some("ci"), "{tags:?}");
    assert!(tags.contains_key("fargate-runner:job"), "{tags:?}");
    site.close().await;
}
