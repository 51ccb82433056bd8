//! The container that holds a task's network, started ahead of its task: used once, made anew, never left.

use fargate_tests::{CheckedHost, EngineContainer, TestEngine, until, until_found};

use crate::{close, engine, host_on, run_task, shell, start_task, stop_task, until_status};

/// The containers of the cloud that hold networks and run; `None` where some are not as many.
fn holders(engine: &TestEngine, site: &CheckedHost, count: usize) -> Option<Vec<String>> {
    let all = engine.containers(site.cloud().folder()).ok()?;
    let of_networks = all.into_iter().filter(|one| one.name.is_none() && one.state == "running");
    let ids: Vec<_> = of_networks.map(|one| one.id).collect();
    (ids.len() == count).then_some(ids)
}

async fn until_holders(engine: &TestEngine, site: &CheckedHost, count: usize) -> Vec<String> {
    let look = || async { holders(engine, site, count).ok_or("not yet".to_owned()) };
    until_found(&format!("{count} containers that hold networks"), look).await
}

/// The one that holds the network of the only task.
fn used_holder(engine: &TestEngine, site: &CheckedHost) -> String {
    let all = engine.containers(site.cloud().folder()).expect("an engine that answers");
    let jobs: Vec<&EngineContainer> = all.iter().filter(|one| one.name.is_some()).collect();
    let [job] = jobs[..] else { panic!("{all:?}") };
    job.network.strip_prefix("container:").expect("the network of a container").to_owned()
}

#[tokio::test]
async fn a_task_takes_the_spare_network_of_its_subnet_and_another_one_is_made() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let first = start_task(&site, "spare", vec![shell(engine, "job", "sleep 100")]).await;
    until_status(&site, &first, "RUNNING").await;
    let both = until_holders(engine, &site, 2).await;
    let of_first = used_holder(engine, &site);
    stop_task(&site, &first).await;
    until_status(&site, &first, "STOPPED").await;
    let spare = until_holders(engine, &site, 1).await.remove(0);
    assert!(both.contains(&spare) && spare != of_first, "{both:?}");

    let second = run_task(&site, "spare").await;
    until_status(&site, &second, "RUNNING").await;
    assert_eq!(used_holder(engine, &site), spare);
    until_holders(engine, &site, 2).await;
    stop_task(&site, &second).await;
    until_status(&site, &second, "STOPPED").await;
    let next = until_holders(engine, &site, 1).await.remove(0);
    assert_ne!(next, spare, "no network serves two tasks");
    close(engine, site).await;
}

#[tokio::test]
async fn a_spare_network_that_died_is_replaced_by_one_of_the_task_itself() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let first = start_task(&site, "spare", vec![shell(engine, "job", "true")]).await;
    until_status(&site, &first, "STOPPED").await;
    let spare = until_holders(engine, &site, 1).await.remove(0);
    engine.kill_container(&spare).expect("an engine that answers");
    until_holders(engine, &site, 0).await;
    let job = site.prepared().await;
    job.run("true").await.passed();
    assert_ne!(used_holder(engine, &site), spare);
    let all = engine.containers(site.cloud().folder()).expect("an engine that answers");
    assert!(all.iter().all(|one| one.id != spare), "the dead one was removed: {all:?}");
    job.cleanup().await.passed();
    close(engine, site).await;
}

#[tokio::test]
async fn a_cloud_that_ends_while_a_spare_network_is_made_leaves_nothing() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let arn = start_task(&site, "spare", vec![shell(engine, "job", "true")]).await;
    until_status(&site, &arn, "STOPPED").await;
    let folder = site.cloud().folder().to_owned();
    // It is on the engine some time before it runs.
    until("a spare network", || engine.containers(&folder).is_ok_and(|all| !all.is_empty())).await;
    close(engine, site).await;
}
