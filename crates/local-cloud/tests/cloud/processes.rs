//! Tasks as processes of this machine: what they see, what they share, how they end.
//!
//! These tests need `bubblewrap` and fail without it, because then the cloud cannot keep its promises.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{KEY, PATIENCE, call, eventually, eventually_found, run_task, serve};
use fargate_local_cloud::{LocalCloud, TaskRecord};
use serde_json::{Value, json};

/// Registers a definition with one container named `job` that runs a shell script.
async fn define(endpoint: &str, family: &str, script: &str, more: Value) {
    let mut container = json!({
        "name": "job", "image": "image", "entryPoint": ["sh", "-c"], "command": [script],
        "stopTimeout": 2,
    });
    for (name, value) in more["container"].as_object().into_iter().flatten() {
        container[name] = value.clone();
    }
    let body = json!({
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "volumes": more["volumes"],
        "containerDefinitions": [container],
    });
    call(endpoint, "RegisterTaskDefinition", body).await;
}

/// Starts a task. Returns its ARN.
async fn start(endpoint: &str, family: &str, overrides: Value) -> String {
    let mut request = run_task();
    request["taskDefinition"] = json!(family);
    request["overrides"] = overrides;
    let answer = call(endpoint, "RunTask", request).await;
    answer["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned()
}

fn record(cloud: &LocalCloud, arn: &str) -> TaskRecord {
    cloud.tasks().into_iter().find(|task| task.arn == arn).expect("a task")
}

async fn until(cloud: &LocalCloud, arn: &str, status: &str) -> TaskRecord {
    eventually(&format!("{status} of {arn}"), || {
        Some(record(cloud, arn)).filter(|task| task.last_status == status)
    })
    .await
}

fn log(task: &TaskRecord) -> String {
    let log = task.containers[0].log.clone().expect("a log");
    std::fs::read_to_string(log).expect("a readable log")
}

/// Returns once the task's script has printed `up`, after it set its traps.
async fn up(cloud: &LocalCloud, arn: &str) {
    let said = || {
        let log = record(cloud, arn).containers[0].log.clone()?;
        std::fs::read_to_string(log).ok().filter(|log| log.contains("up\n"))
    };
    eventually(&format!("`up` of {arn}"), said).await;
    until(cloud, arn, "RUNNING").await;
}

/// Runs a script to its end. Returns its exit code and output.
async fn run(cloud: &LocalCloud, script: &str, overrides: Value) -> (Option<i32>, String) {
    define(&cloud.endpoint(), "script", script, json!({})).await;
    let arn = start(&cloud.endpoint(), "script", overrides).await;
    let task = until(cloud, &arn, "STOPPED").await;
    (task.containers[0].exit_code, log(&task))
}

fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state stands after the name in brackets. A zombie has ended.
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[tokio::test]
async fn an_essential_container_that_ends_stops_the_task_with_its_exit_code() {
    let cloud = serve().await;
    assert_eq!(cloud.notice(), None);
    define(&cloud.endpoint(), "ends", "echo out; echo err >&2; exit 3", json!({})).await;
    let arn = start(&cloud.endpoint(), "ends", Value::Null).await;
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(task.containers[0].exit_code, Some(3));
    assert_eq!(task.stop_code.as_deref(), Some("EssentialContainerExited"));
    assert_eq!(task.stopped_reason.as_deref(), Some("Essential container in task exited"));
    assert_eq!(log(&task), "out\nerr\n");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_container_has_its_own_variables_and_none_of_the_machine() {
    let cloud = serve().await;
    let overrides = json!({"containerOverrides": [{"name": "job", "environment": [
        {"name": "SEED", "value": "5eed"}, {"name": "FARGATE_RUNNER_ADDRESS", "value": "0.0.0.0"},
    ]}]});
    let script = "env; echo; cat /proc/*/environ | tr '\\0' '\\n'";
    let (code, output) = run(&cloud, script, overrides).await;
    assert_eq!(code, Some(0));
    let (own, all) = output.split_once("\n\n").expect("two parts");
    let own: BTreeMap<_, _> = own.lines().filter_map(|line| line.split_once('=')).collect();
    let names: Vec<_> =
        own.keys().copied().filter(|n| !["PWD", "SHLVL", "_"].contains(n)).collect();
    let mut expected =
        vec!["FARGATE_RUNNER_ADDRESS", "FARGATE_RUNNER_PORT", "HOME", "PATH", "SEED"];
    if std::env::var_os("LANG").is_some() {
        expected.insert(3, "LANG");
    }
    assert_eq!(names, expected);
    let task = cloud.tasks().pop().expect("a task");
    assert_eq!(own["FARGATE_RUNNER_ADDRESS"], task.address.expect("an address").to_string());
    assert!(cloud.endpoint().ends_with(&format!(":{}", own["FARGATE_RUNNER_PORT"])));
    assert_eq!(task.environment["SEED"], "5eed");
    // `cargo` sets this one for every test, so it is in the cloud's own environment.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!all.contains("CARGO_MANIFEST_DIR"), "{all}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn variables_are_in_no_process_list() {
    let cloud = serve().await;
    define(&cloud.endpoint(), "waits", "sleep 60", json!({})).await;
    let secret = "5eed-that-nobody-else-has";
    let overrides = json!({"containerOverrides": [{"name": "job", "environment": [
        {"name": "SEED", "value": secret},
    ]}]});
    let arn = start(&cloud.endpoint(), "waits", overrides).await;
    let pid = until(&cloud, &arn, "RUNNING").await.containers[0].pid.expect("a process");
    let mut looked_at = 0;
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(secret), "{entry:?}");
        looked_at += usize::from(entry.file_name().to_string_lossy() == pid.to_string());
    }
    assert_eq!(looked_at, 1);
    cloud.shutdown().await;
}

#[tokio::test]
async fn every_task_has_its_own_builds_cache_tmp_and_home() {
    let cloud = serve().await;
    let script = "set -e; for d in /builds /cache /tmp /var/tmp \"$HOME\"; do \
                  test -z \"$(ls -A $d)\"; echo x >$d/mine; done; \
                  ! touch /usr/x 2>/dev/null; ! touch /etc/x 2>/dev/null; \
                  test $$ = 1; test \"$(ls -d /proc/[0-9]* | wc -l)\" -lt 5; echo fine";
    for _ in 0..2 {
        let (code, output) = run(&cloud, script, Value::Null).await;
        assert_eq!((code, output.as_str()), (Some(0), "fine\n"));
    }
    assert!(!Path::new("/builds/mine").exists());
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_file_system_is_shared_by_tasks_and_mounted_where_the_definition_says() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let folder = cloud.add_file_system("fs-0123456789abcdef0");
    let more = |read_only: bool| {
        json!({
            "volumes": [
                {"name": "shared", "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0123456789abcdef0",
                }},
                {"name": "scratch"},
            ],
            "container": {"mountPoints": [
                {"sourceVolume": "shared", "containerPath": "/mnt/deep/er", "readOnly": read_only},
                {"sourceVolume": "scratch", "containerPath": "/usr/share/made-for-this"},
            ]},
        })
    };
    let write = "test -e /usr/share/made-for-this && test -d /usr/bin && \
                 test -z \"$(ls -A /usr/share/made-for-this)\" && \
                 touch /usr/share/made-for-this/x && echo hello >/mnt/deep/er/file";
    define(&endpoint, "writes", write, more(false)).await;
    let arn = start(&endpoint, "writes", Value::Null).await;
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(task.containers[0].exit_code, Some(0), "{}", log(&task));
    let read = "cat /mnt/deep/er/file && ! touch /mnt/deep/er/x 2>/dev/null && \
                test -z \"$(ls -A /usr/share/made-for-this)\"";
    define(&endpoint, "reads", read, more(true)).await;
    let arn = start(&endpoint, "reads", Value::Null).await;
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!((task.containers[0].exit_code, log(&task).as_str()), (Some(0), "hello\n"));
    assert!(folder.join("file").is_file());
    assert!(!Path::new("/usr/share/made-for-this").exists());
    cloud.shutdown().await;
}

#[tokio::test]
async fn stopping_sends_sigterm_and_after_the_stop_timeout_sigkill() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let stop = async |arn: &str| {
        let begun = Instant::now();
        let body = json!({"cluster": "ci", "task": arn, "reason": "enough"});
        call(&endpoint, "StopTask", body).await;
        let task = until(&cloud, arn, "STOPPED").await;
        (task.containers[0].exit_code, begun.elapsed())
    };
    define(
        &endpoint,
        "listens",
        "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done",
        json!({"container": {"stopTimeout": 120}}),
    )
    .await;
    let arn = start(&endpoint, "listens", Value::Null).await;
    up(&cloud, &arn).await;
    let (code, took) = stop(&arn).await;
    assert_eq!(code, Some(7));
    assert!(took < PATIENCE, "{took:?}");

    let deaf = "trap '' TERM; echo up; while :; do sleep 0.02; done";
    define(&endpoint, "deaf", deaf, json!({})).await;
    let arn = start(&endpoint, "deaf", Value::Null).await;
    up(&cloud, &arn).await;
    let (code, took) = stop(&arn).await;
    assert_eq!(code, Some(137));
    assert!(took >= Duration::from_secs(2), "{took:?}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn aws_can_take_a_task_back() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let waits = "trap 'exit 143' TERM; echo up; while :; do sleep 0.02; done";
    let more = json!({"container": {"stopTimeout": 120}});
    define(&endpoint, "waits", waits, more).await;
    let arn = start(&endpoint, "waits", Value::Null).await;
    up(&cloud, &arn).await;
    let spot = "Your Spot Task was interrupted.";
    assert!(cloud.stop_task_from_outside(&arn, "SpotInterruption", spot));
    assert!(!cloud.stop_task_from_outside(&arn, "SpotInterruption", spot), "it is ending");
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(task.stop_code.as_deref(), Some("SpotInterruption"));
    assert_eq!(task.stopped_reason.as_deref(), Some(spot));
    assert_eq!(task.containers[0].exit_code, Some(143));

    let arn = start(&endpoint, "waits", Value::Null).await;
    up(&cloud, &arn).await;
    let reason = "OutOfMemoryError: Container killed due to memory usage";
    assert!(cloud.stop_task_from_outside(&arn, "EssentialContainerExited", reason));
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(task.containers[0].exit_code, Some(137));
    assert_eq!(task.containers[0].reason.as_deref(), Some(reason));
    assert_eq!(task.stopped_reason.as_deref(), Some("Essential container in task exited"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_and_a_missing_agent_fail_the_start() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let missing = json!({"container": {"entryPoint": ["no-such-program"], "command": []}});
    define(&endpoint, "missing", "", missing).await;
    for (family, expected) in
        [("missing", "exec: \"no-such-program\": executable file not found"), ("ci-job", "agent")]
    {
        let arn = start(&endpoint, family, Value::Null).await;
        let task = until(&cloud, &arn, "STOPPED").await;
        assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
        let reason = task.containers[0].reason.clone().expect("a reason");
        assert!(reason.starts_with("CannotStartContainerError"), "{reason}");
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(task.containers[0].exit_code, None);
        assert_eq!(task.started_at, None);
    }
    cloud.shutdown().await;
}

#[tokio::test]
async fn sidecars_start_in_order_and_end_with_the_task() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let shell = |name: &str, script: &str| {
        json!({"name": name, "image": "i", "command": ["sh", "-c", script],
               "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]})
    };
    let main = "until test -e /v/serves; do sleep 0.02; done; cat /v/order; exit 5";
    let mut main = shell("main", main);
    main["dependsOn"] = json!([
        {"containerName": "prepares", "condition": "SUCCESS"},
        {"containerName": "serves", "condition": "START"},
    ]);
    let mut prepares = shell("prepares", "sleep 0.05; echo prepared >>/v/order");
    prepares["essential"] = json!(false);
    let serves = "trap 'exit 0' TERM; true >/v/serves; while :; do sleep 0.02; done";
    let mut serves = shell("serves", serves);
    serves["essential"] = json!(false);
    let body = json!({
        "family": "several", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "volumes": [{"name": "v"}],
        "containerDefinitions": [main, prepares, serves],
    });
    call(&endpoint, "RegisterTaskDefinition", body).await;
    let arn = start(&endpoint, "several", Value::Null).await;
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(log(&task), "prepared\n");
    let codes: Vec<_> = task.containers.iter().map(|c| (c.name.as_str(), c.exit_code)).collect();
    assert_eq!(codes, [("main", Some(5)), ("prepares", Some(0)), ("serves", Some(0))]);
    cloud.shutdown().await;
}

#[tokio::test]
async fn addresses_are_unique_and_a_client_reaches_its_own_task() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    define(&endpoint, "waits", "sleep 60", json!({})).await;
    let mut request = run_task();
    request["taskDefinition"] = json!("waits");
    request["count"] = json!(10);
    let answer = call(&endpoint, "RunTask", request).await;
    assert_eq!(answer["tasks"].as_array().map(Vec::len), Some(10));
    eventually("ten running tasks", || {
        (cloud.tasks().iter().filter(|task| task.last_status == "RUNNING").count() == 10)
            .then_some(())
    })
    .await;
    let mut addresses: Vec<_> = cloud.tasks().iter().filter_map(|task| task.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 10);
    assert!(
        addresses.iter().all(|address| address.to_string().starts_with("127.80.")),
        "{addresses:?}"
    );
    assert_eq!(cloud.live_tasks(), 10);
    cloud.shutdown().await;
}

#[tokio::test]
async fn output_beyond_a_mebibyte_is_dropped_and_the_task_goes_on() {
    let cloud = serve().await;
    let (code, output) = run(&cloud, "yes 0123456 | head -c 3000000; exit 4", Value::Null).await;
    assert_eq!(code, Some(4));
    assert!(output.len() < 1024 * 1024 + 100, "{}", output.len());
    assert!(output.ends_with("[the rest of the output was dropped]\n"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_and_a_drop_leave_no_process() {
    for drops in [false, true] {
        let cloud = serve().await;
        define(&cloud.endpoint(), "waits", "sleep 60 & sleep 60", json!({})).await;
        let arn = start(&cloud.endpoint(), "waits", Value::Null).await;
        let pid = until(&cloud, &arn, "RUNNING").await.containers[0].pid.expect("a process");
        assert!(is_running(pid));
        let begun = Instant::now();
        if drops {
            drop(cloud);
            eventually("the end of the task", || (!is_running(pid)).then_some(())).await;
        } else {
            cloud.shutdown().await;
            assert!(!is_running(pid));
        }
        // Without the shutdown the task would last for a minute.
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
}

/// A cloud in a process of its own, which ends with the test, even if the test fails.
struct SeparateCloudProcess(Child);

impl SeparateCloudProcess {
    /// Kills it, waits for its end, and returns what it wrote to stderr.
    fn killed(mut self) -> String {
        self.0.kill().expect("SIGKILL");
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        self.0.wait().expect("an end");
        said
    }
}

impl Drop for SeparateCloudProcess {
    fn drop(&mut self) {
        // An error means that it has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts the example as a process of its own. Returns it and its endpoint. If it is killed, it cannot
/// delete its folder, which is in `folder`.
fn spawn_cloud(path: &str, folder: &Path) -> (SeparateCloudProcess, String) {
    let cloud = Command::new(example("serve"))
        .env("PATH", path)
        .env("TMPDIR", folder)
        .envs([("AWS_ACCESS_KEY_ID", KEY.0), ("AWS_SECRET_ACCESS_KEY", KEY.1)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example was built with these tests");
    let mut cloud = SeparateCloudProcess(cloud);
    let mut line = String::new();
    let output = cloud.0.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("a line");
    (cloud, line.trim().to_owned())
}

#[tokio::test]
async fn when_the_cloud_is_killed_its_tasks_die_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let (cloud, endpoint) = spawn_cloud(&path, folder.path());
    // A number of seconds that no other process here sleeps for.
    let marker = format!("59{}", std::process::id());
    let script = format!("setsid sleep {marker} & exec sleep {marker}");
    define(&endpoint, "waits", &script, json!({})).await;
    start(&endpoint, "waits", Value::Null).await;
    let sleepers = || processes_with(&marker);
    let found = eventually("two sleepers", || Some(sleepers()).filter(|all| all.len() >= 2)).await;
    cloud.killed();
    eventually("the end of the task", || found.iter().all(|pid| !is_running(*pid)).then_some(()))
        .await;
    assert_eq!(sleepers(), Vec::<i32>::new());
}

#[tokio::test]
async fn without_namespaces_there_is_one_task_at_a_time_and_the_cloud_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cloud, endpoint) = spawn_cloud("/no/programs/here", folder.path());
    let marker = format!("58{}", std::process::id());
    let more = json!({"container": {"entryPoint": ["/bin/sleep"], "command": [marker]}});
    define(&endpoint, "waits", "", more).await;
    let first = start(&endpoint, "waits", Value::Null).await;
    let found = eventually("a sleeper", || processes_with(&marker).first().copied()).await;
    let mut request = run_task();
    request["taskDefinition"] = json!("waits");
    let second = call(&endpoint, "RunTask", request.clone()).await;
    assert_eq!(second["tasks"], json!([]));
    let reason = second["failures"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("Capacity is unavailable at this time."), "{reason}");
    call(&endpoint, "StopTask", json!({"cluster": "ci", "task": first})).await;
    eventually("the end of the first", || (!is_running(found)).then_some(())).await;
    eventually_found("room for a second", || async {
        let answer = call(&endpoint, "RunTask", request.clone()).await;
        (answer["tasks"] != json!([])).then_some(())
    })
    .await;
    let found = eventually("a sleeper", || processes_with(&marker).first().copied()).await;
    let said = cloud.killed();
    eventually("the end of the second", || (!is_running(found)).then_some(())).await;
    assert_eq!(
        said.trim(),
        "bubblewrap is not installed (Debian: apt-get install bubblewrap), so tasks run \
         unprotected and one at a time"
    );
}

/// Processes that run `sleep` with this argument.
fn processes_with(argument: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        // `setpriv ... sleep` is not counted: it has not yet asked to die with its parent.
        let is_sleep = words.next().is_some_and(|program| program.ends_with("sleep"));
        if is_sleep && words.next() == Some(argument) {
            found.push(pid);
        }
    }
    found
}

/// An example of this package; `cargo test` builds it beside the tests.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this test's program");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    folder.join("examples").join(name)
}

#[tokio::test]
async fn spot_warns_with_sigterm_shows_running_and_kills_when_the_warning_is_over() {
    let cloud = serve().await;
    let script = "trap 'echo warned' TERM; echo up; while :; do sleep 0.05; done";
    define(&cloud.endpoint(), "spot", script, json!({})).await;
    cloud.set_faults("task of family spot at RUNNING + 1h: interrupt 1h".parse().expect("a rule"));
    let arn = start(&cloud.endpoint(), "spot", Value::Null).await;
    let running = until(&cloud, &arn, "RUNNING").await;
    let pid = running.containers[0].pid.expect("a process");
    eventually("its trap", || log(&running).contains("up").then_some(())).await;
    cloud.advance(Duration::from_secs(3601));
    eventually("the warning", || log(&running).contains("warned").then_some(())).await;
    let warned = record(&cloud, &arn);
    assert_eq!(
        (warned.last_status.as_str(), warned.desired_status.as_str()),
        ("RUNNING", "STOPPED")
    );
    assert_eq!(warned.stop_code.as_deref(), Some("SpotInterruption"));
    assert!(is_running(pid));
    cloud.advance(Duration::from_secs(3600));
    let stopped = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(stopped.containers[0].exit_code, Some(137));
    assert!(!is_running(pid));
    cloud.shutdown().await;
}
