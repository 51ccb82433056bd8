//! What happens to a task in a container while its job runs (B7 to B10, B13): whom the verdict blames, what
//! arrives of the output, and what is left, which is nothing.
//!
//! A machine that is lost for good is played by `engine_faults`.

use aws_sdk_ecs::types::ContainerDefinition;
use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestEngine, scenes, until};

use crate::{close, end_of, engine, give, host_on, prefer_spot, register, stop_task, until_status};

/// Takes memory until the kernel ends somebody for it.
const HUNGRY: &str = "perl -e 'my @all; push @all, q(x) x (1 << 20) while 1'";

/// The container of a job, with the agent of its image.
fn agent(engine: &TestEngine) -> ContainerDefinitionBuilder {
    ContainerDefinition::builder().name("job").image(engine.image_id())
}

#[tokio::test]
async fn a_script_that_takes_all_memory_is_its_job_s_failure_with_137() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    register(&site, "small", vec![agent(engine).memory(64)]).await;
    site.set("defaults.task_definition", "small");
    // The kernel chooses the script's process: the agent says how it ended, and serves the next script.
    let job = site.prepared().await;
    let ended = job.run(format!("echo up; {HUNGRY}")).await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code().as_deref()), ("up\n", Some("137\n")));
    assert_eq!(job.run("echo after").await.with_code(0).out(), "after\n");
    // It chooses process 1, and ECS says why the task ended.
    let script = format!("echo up; echo 1000 >/proc/1/oom_score_adj; {HUNGRY}");
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code().as_deref()), ("up\n", Some("137\n")));
    let told = "fargate-runner: error: out of memory (limit ";
    assert!(ended.error_line().starts_with(told), "{}", ended.err());
    let end = end_of(&until_status(&site, &site.task_of(&job).arn, "STOPPED").await);
    assert!(
        end.ends_with("\njob: 137, OutOfMemoryError: Container killed due to memory usage"),
        "{end}"
    );
    close(engine, site).await;
}

/// All that can be written to in this container is 64 MiB of `/dev/shm`, which the job fills.
#[tokio::test]
async fn a_disk_that_is_full_stops_only_what_needs_it() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    register(&site, "read-only", vec![agent(engine).readonly_root_filesystem(true)]).await;
    site.set("defaults.task_definition", "read-only");
    let job = site.prepared().await;
    let fill = "until ! dd if=/dev/zero bs=64k count=16 2>/dev/null; do :; done >/dev/shm/full";
    let script = format!("{fill}; echo out; echo err >&2; exit 6");
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
    assert_eq!(job.exit_code().as_deref(), Some("6\n"));
    let ended = job.run("echo x >/dev/shm/file").await.with_code(BUILD_FAILURE);
    assert!(ended.err().contains("No space left on device"), "{}", ended.err());
    assert_eq!(job.exit_code().as_deref(), Some("1\n"));
    let whole = "head -c 3000000 /dev/zero | tr '\\0' x";
    assert_eq!(job.run(whole).await.with_code(0).stdout, vec![b'x'; 3_000_000]);
    job.cleanup().await.passed();
    close(engine, site).await;
}

#[tokio::test]
async fn spot_that_takes_a_container_back_in_mid_job_warns_first_and_is_a_system_failure() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    prefer_spot(&site);
    let job = site.prepared().await;
    let mut running = job.start_run("trap '' TERM; echo begin; sleep 60 & wait; sleep 60");
    running.wrote("begin").await;
    give(&site, "task on FARGATE_SPOT at RUNNING: interrupt 3s");
    running.told("AWS takes this Spot task back, and ends it within two minutes").await;
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("begin\n", None));
    let said = "fargate-runner: error: AWS took the Spot task back";
    assert!(ended.error_line().starts_with(said), "{}", ended.err());
    let end = end_of(&until_status(&site, &site.task_of(&job).arn, "STOPPED").await);
    assert!(end.starts_with("SpotInterruption: "), "{end}");
    close(engine, site).await;
}

#[tokio::test]
async fn a_container_that_is_taken_away_from_outside_is_a_system_failure_with_ecs_s_reason() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    // At the same time, because an agent gives each script 10 s to end.
    let taken = async |(stop, cause): ((&str, &str), &str)| {
        let job = site.prepared().await;
        scenes::taken_away(&site, &job, stop, cause).await;
    };
    let [spot, _, person, machine, unknown] = scenes::TAKEN_AWAY;
    tokio::join!(taken(spot), taken(person), taken(machine), taken(unknown), stopped(&site));
    close(engine, site).await;
}

/// The same, by a call to ECS.
async fn stopped(site: &CheckedHost) {
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    stop_task(site, &site.task_of(&job).arn).await;
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let said = "fargate-runner: error: someone stopped the task in AWS (ECS: \"enough\")";
    assert!(ended.error_line().starts_with(said), "{}", ended.err());
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
}

#[tokio::test]
async fn a_task_that_ecs_has_forgotten_is_a_system_failure_and_its_containers_are_gone() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    site.set("defaults.timeouts.task_visibility", "500ms");
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    assert!(site.cloud().forget(&site.task_of(&job).arn));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let said = "fargate-runner: error: the connection to the task was lost";
    assert!(ended.error_line().starts_with(said), "{}", ended.err());
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.err(), "");
    let folder = site.cloud().folder().to_owned();
    let is_gone =
        || engine.containers(&folder).is_ok_and(|all| all.iter().all(|one| one.name.is_none()));
    until("the end of its containers", is_gone).await;
    close(engine, site).await;
}
