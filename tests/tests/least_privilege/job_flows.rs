//! Jobs of a task definition that somebody else made, from end to end.

use std::rc::Rc;

use fargate_tests::BUILD_FAILURE;

use crate::limited_host::{LimitedHost, prove};
use crate::{HOST_GRANTS, MANAGER_GRANTS, PolicyFlow, grants};

/// One whole job, whose task has our tags and is stopped at once.
async fn whole_job(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("roles");
    host.expect(&job.config().await, 0)?;
    let prepared = job.prepare().await;
    host.expect(&prepared, 0)?;
    host.expect(&job.run("echo from the task").await, 0)?;
    let cleaned = job.cleanup().await;
    host.expect(&cleaned, 0)?;
    let task = host.site.task_of(&job);
    match (task.tags.is_empty(), task.desired_status.as_str()) {
        (false, "STOPPED") => Ok(()),
        _ => Err(format!("{task:?}: {}", host.told(&[&prepared, &cleaned]))),
    }
}

#[tokio::test]
async fn a_whole_job_needs_what_the_policy_gives_it() {
    prove(LimitedHost::of_manager, grants(MANAGER_GRANTS, PolicyFlow::WholeJob), whole_job).await;
}

#[tokio::test]
async fn a_whole_job_of_a_host_that_becomes_a_role_needs_what_the_policy_gives_it() {
    prove(LimitedHost::of_host, grants(HOST_GRANTS, PolicyFlow::WholeJob), whole_job).await;
}

/// A command of a person in a new task.
#[tokio::test]
async fn exec_passes_with_the_policy() {
    let host = LimitedHost::of_manager().await;
    let said = host.command(&["--profile", "roles", "exec", "-q", "--", "echo", "hi"], "").await;
    assert_eq!((said.code, said.out().as_str()), (0, "hi\n"), "{}", said.all());
    host.close().await;
}

/// The task of a failed job is kept, and released.
async fn kept_task(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job_with("kept", |job| job.set("CUSTOM_ENV_FARGATE_HOLD", "20m"));
    host.expect(&job.prepare().await, 0)?;
    let ran = job.run("exit 3").await;
    host.expect(&ran, BUILD_FAILURE)?;
    let cleaned = job.cleanup().await;
    host.expect(&cleaned, 0)?;
    let state = job.state().filter(|state| state["kept"].is_object());
    let state = state.ok_or_else(|| host.told(&[&ran, &cleaned]))?;
    let name = state["job_id"].as_str().expect("a name");
    host.expect(&host.command(&["jobs", "release", name], "").await, 0)
}

#[tokio::test]
async fn a_kept_task_needs_what_the_policy_gives_it() {
    prove(LimitedHost::of_manager, grants(MANAGER_GRANTS, PolicyFlow::KeptTask), kept_task).await;
}

/// A task whose record is lost is found and stopped.
async fn lost_record(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("roles");
    host.expect(&job.prepare().await, 0)?;
    std::fs::remove_file(job.state_file()).expect("a state file");
    let reaped = host.command(&["tasks", "reap"], "").await;
    match host.site.task_of(&job).desired_status.as_str() {
        "STOPPED" => Ok(()),
        _ => Err(host.told(&[&reaped])),
    }
}

#[tokio::test]
async fn a_task_without_a_record_needs_what_the_policy_gives_it() {
    let missing = grants(MANAGER_GRANTS, PolicyFlow::LostRecord);
    prove(LimitedHost::of_manager, missing, lost_record).await;
}

/// A task that is reached by its public address.
async fn public_address(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("public");
    host.expect(&job.prepare().await, 0)?;
    host.expect(&job.run("true").await, 0)?;
    host.expect(&job.cleanup().await, 0)
}

#[tokio::test]
async fn a_public_address_needs_what_the_policy_gives_it() {
    let missing = grants(MANAGER_GRANTS, PolicyFlow::PublicAddress);
    prove(LimitedHost::of_manager, missing, public_address).await;
}
