//! How containers end, and what ECS says of it.

use aws_sdk_ecs::types::{
    ContainerCondition, ContainerDependency, HealthCheck, HealthStatus, KeyValuePair, Ulimit,
    UlimitName,
};

use crate::{
    MOMENT, close, end_of, engine, host_on, output, shell, start_task, stop_task, until_status,
};

#[tokio::test]
async fn a_container_that_takes_too_much_memory_is_killed_and_says_so() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let hungry = "exec perl -e 'my @all; push @all, q(x) x (1 << 20) while 1'";
    let container = shell(engine, "job", hungry).memory(64);
    let arn = start_task(&site, "hungry", vec![container]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    assert_eq!(
        end_of(&task),
        "EssentialContainerExited: Essential container in task exited\n\
         job: 137, OutOfMemoryError: Container killed due to memory usage"
    );
    close(engine, site).await;
}

#[tokio::test]
async fn the_end_of_an_essential_container_ends_the_others() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let job = shell(engine, "job", "trap 'exit 3' TERM; sleep 100 & wait");
    let proxy = shell(engine, "proxy", "echo over; exit 5");
    let arn = start_task(&site, "essential", vec![job, proxy]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    assert_eq!(
        end_of(&task),
        "EssentialContainerExited: Essential container in task exited\n\
         job: 3, no reason\n\
         proxy: 5, no reason"
    );
    assert_eq!(output(&site, &arn, "proxy"), "over\n");
    close(engine, site).await;
}

#[tokio::test]
async fn a_container_that_ignores_sigterm_is_killed_after_its_stop_time_out() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let script = "trap 'echo told' TERM; echo up; while :; do sleep 0.1; done";
    let container = shell(engine, "job", script);
    let arn = start_task(&site, "deaf", vec![container]).await;
    until_status(&site, &arn, "RUNNING").await;
    fargate_tests::until("its trap", || output(&site, &arn, "job") == "up\n").await;
    stop_task(&site, &arn).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    assert_eq!(end_of(&task), "UserInitiated: enough\njob: 137, no reason");
    assert_eq!(output(&site, &arn, "job"), "up\ntold\n");
    let seconds =
        |time: Option<&aws_sdk_ecs::primitives::DateTime>| time.expect("it happened").as_secs_f64();
    let took = seconds(task.execution_stopped_at()) - seconds(task.stopping_at());
    assert!((2.0..MOMENT.as_secs_f64()).contains(&took), "{took} s");
    close(engine, site).await;
}

#[tokio::test]
async fn containers_start_after_those_they_depend_on() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let after = |name: &str, condition| {
        ContainerDependency::builder()
            .container_name(name)
            .condition(condition)
            .build()
            .expect("all")
    };
    let check = HealthCheck::builder()
        .command("CMD-SHELL")
        .command("test -e /tmp/ready")
        .interval(5)
        .timeout(2)
        .retries(2);
    let init = shell(engine, "init", "echo made; sleep 0.5").essential(false);
    let server = shell(engine, "server", "sleep 1; touch /tmp/ready; sleep 100")
        .health_check(check.build().expect("a command"))
        .depends_on(after("init", ContainerCondition::Success));
    let job = shell(engine, "job", "echo last; sleep 100")
        .depends_on(after("server", ContainerCondition::Healthy));
    let arn = start_task(&site, "ordered", vec![job, server, init]).await;
    let task = until_status(&site, &arn, "RUNNING").await;
    let of = |name: &str| {
        task.containers().iter().find(|one| one.name() == Some(name)).expect("a container").clone()
    };
    assert_eq!((of("init").exit_code(), output(&site, &arn, "init").as_str()), (Some(0), "made\n"));
    assert_eq!(of("server").health_status(), Some(&HealthStatus::Healthy));
    assert_eq!(task.health_status(), Some(&HealthStatus::Healthy));
    stop_task(&site, &arn).await;
    close(engine, site).await;
}

#[tokio::test]
async fn an_init_container_that_fails_keeps_the_task_from_starting() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let init = shell(engine, "init", "exit 9").essential(false);
    let success = ContainerDependency::builder()
        .container_name("init")
        .condition(ContainerCondition::Success)
        .build()
        .expect("all");
    let job = shell(engine, "job", "sleep 100").depends_on(success);
    let arn = start_task(&site, "failing-init", vec![job, init]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    assert_eq!(
        end_of(&task),
        "TaskFailedToStart: Dependency container exited with a non-zero code\n\
         job: no exit code, no reason\n\
         init: 9, no reason"
    );
    close(engine, site).await;
}

#[tokio::test]
async fn a_program_that_the_image_lacks_is_named() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let entry_point = Some(vec!["no-such-program".to_owned()]);
    let container = shell(engine, "job", "true").set_entry_point(entry_point);
    let arn = start_task(&site, "no-program", vec![container]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    let end = end_of(&task);
    assert!(
        end.starts_with(
            "TaskFailedToStart: CannotStartContainerError: ResourceInitializationError"
        ) && end.contains("exec: \"no-such-program\": executable file not found in $PATH"),
        "{end}"
    );
    close(engine, site).await;
}

#[tokio::test]
async fn user_folder_limits_and_variables_are_those_of_the_task_definition() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let script = "id -u; id -g; pwd; ulimit -n; echo $A; cat /proc/1/comm; \
                  touch /etc/x 2>/dev/null || echo read-only";
    let limit = Ulimit::builder().name(UlimitName::Nofile).soft_limit(1234).hard_limit(4321);
    let init = aws_sdk_ecs::types::LinuxParameters::builder().init_process_enabled(true).build();
    let container = shell(engine, "job", script)
        .user("1000:1001")
        .working_directory("/builds")
        .ulimits(limit.build().expect("a name"))
        .environment(KeyValuePair::builder().name("A").value("b").build())
        .linux_parameters(init)
        .readonly_root_filesystem(true);
    let arn = start_task(&site, "settings", vec![container]).await;
    until_status(&site, &arn, "STOPPED").await;
    assert_eq!(
        output(&site, &arn, "job"),
        "1000\n1001\n/builds\n1234\nb\ndocker-init\nread-only\n"
    );
    close(engine, site).await;
}
