//! What each stage prints and how it ends when nothing goes wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use fargate_tests::{BUILD_FAILURE, CheckedHost, PipeReading, files_below, is_ignored, redacted};
use serde_json::{Value, json};

#[tokio::test]
async fn config_writes_one_json_object_and_nothing_else_to_stdout() {
    let site = CheckedHost::open().await;
    site.set("defaults.builds_dir", "/builds");
    site.set("defaults.cache_dir", "/cache");
    // A key that no version knows is a warning, and must not reach the JSON.
    site.set("defaults.colour_of_the_task", "green");
    let job = site.job();
    for level in ["error", "warn", "info", "debug", "trace"] {
        site.set("log_level", level);
        for debug in [&["config"][..], &["config", "--debug"]] {
            let ended = job.heard(job.start(debug)).await.with_code(0);
            let output: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
            assert_eq!(output["driver"]["name"], "fargate-runner");
            assert!(output["driver"]["version"].is_string());
            assert_eq!(output["shell"], "bash");
            assert_eq!(output["builds_dir"], "/builds");
            assert_eq!(output["cache_dir"], "/cache");
            let hostname = format!("job-4000-{}", &job.key().as_str()[..8]);
            assert_eq!(output["hostname"], hostname);
        }
    }
    assert_eq!(site.cloud().requests().len(), 0, "config asks AWS for nothing");
    site.close().await;
}

#[tokio::test]
async fn each_manager_has_its_own_folders_on_a_shared_volume() {
    let site = CheckedHost::open().await;
    site.set("owner", "ci/host-1");
    site.set("profile.shared.image", "team/ci:1");
    site.set("profile.shared.task_role", "ci-task");
    site.set("profile.shared.volumes", vec!["cache"]);
    site.set("profile.shared.builds_dir", "/builds");
    site.set("profile.shared.cache_dir", "/cache/of-jobs");
    site.set("volume.cache.file_system", "fs-0a1b2c3d");
    site.set("volume.cache.path", "/cache");
    let job = site.job();
    let arguments = ["config", "--profile", "shared"];
    let ended = job.heard(job.start(&arguments)).await.with_code(0);
    let output: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(output["builds_dir"], "/builds", "the task's own disk needs no such part");
    assert_eq!(output["cache_dir"], "/cache/of-jobs/manager-ci.host-1");
    site.close().await;
}

#[tokio::test]
async fn folders_that_are_not_configured_are_left_to_gitlab_runner() {
    let site = CheckedHost::open().await;
    let ended = site.job().config().await.with_code(0);
    let output: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    // gitlab-runner takes an empty value for an error, so the key must be absent.
    assert_eq!((&output["builds_dir"], &output["cache_dir"]), (&Value::Null, &Value::Null));
    site.close().await;
}

#[tokio::test]
async fn prepare_tells_a_usual_start_in_two_lines_and_a_fold() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert_eq!(ended.err(), "");
    insta::assert_snapshot!(redacted(&ended.out()), @r"
    task ID accepted: 1 vCPU, 2 GB, on demand, eu-west-1a
    Ready in T: RunTask T, network T, pull T, start T, agent T, proof T
    section_start:TIME:fargate_TASK[collapsed=true]|Task details
    task      arn:aws:ecs:eu-west-1:123456789012:task/ci/TASK
    image     registry.example/ci/job:1 (digest not reported by ECS)
    network   subnet-0a1b2c3d4e5f60718, ADDRESS, no public address
    host key  SHA256:FINGERPRINT proven by seed
    start     T |BAR| T
    section_end:TIME:fargate_TASK|
    ");
    site.close().await;
}

#[tokio::test]
async fn prepare_asks_ecs_for_exactly_what_the_configuration_says() {
    let site = CheckedHost::open().await;
    site.set("owner", "ci-host-1");
    site.set("defaults.tags.team", "shop");
    site.set("defaults.cpu", 512);
    site.set("defaults.memory", 1024);
    site.set("defaults.timeouts.lifetime_margin", "10m");
    let job = site.prepared().await;
    let requests = site.cloud().requests();
    let run_task = requests.iter().find(|r| r.operation == "RunTask").expect("a RunTask");
    let body = &run_task.body;
    assert_eq!(body["cluster"], "ci");
    assert_eq!(body["count"], 1);
    assert_eq!(body["startedBy"], "ci-host-1");
    assert_eq!(body["launchType"], "FARGATE");
    assert_eq!(
        body["networkConfiguration"]["awsvpcConfiguration"],
        json!({
            "subnets": ["subnet-0a1b2c3d4e5f60718"],
            "securityGroups": ["sg-0c3d4e5f60718293b"],
            "assignPublicIp": "DISABLED",
        })
    );
    assert_eq!(
        (&body["overrides"]["cpu"], &body["overrides"]["memory"]),
        (&json!("512"), &json!("1024"))
    );
    let task = site.task_of(&job);
    let token = task.client_token.clone().expect("a token");
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    let key = job.key().to_string();
    for (tag, value) in [
        ("team", "shop"),
        ("fargate-runner:owner", "ci-host-1"),
        ("fargate-runner:job", key.as_str()),
        ("fargate-runner:launch", token.as_str()),
        ("fargate-runner:project", "group/project"),
        ("fargate-runner:pipeline", "71"),
    ] {
        assert_eq!(task.tags.get(tag).map(String::as_str), Some(value), "{tag}");
    }
    assert!(task.tags.contains_key("fargate-runner:deadline"), "{:?}", task.tags);
    assert_eq!(task.environment["FARGATE_RUNNER_LIFETIME_S"], (3600 + 600).to_string());
    assert_eq!(task.environment["FARGATE_RUNNER_JOB"], key);
    site.close().await;
}

#[tokio::test]
async fn state_is_private_and_on_disk_before_run_task() {
    use std::os::unix::fs::PermissionsExt;
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", fargate_local_cloud::CloudFault::Slow(Duration::from_secs(1)));
    let job = site.job();
    let running = job.start(&["prepare"]);
    fargate_tests::until("RunTask came", || site.calls("RunTask") == 1).await;
    let state = job.state().expect("a state file before RunTask is answered");
    let requests = site.cloud().requests();
    let asked = requests.iter().find(|r| r.operation == "RunTask").expect("a RunTask");
    assert_eq!(state["launches"][0]["token"], asked.body["clientToken"]);
    job.heard(running).await.passed();
    for path in files_below(&site.state_dir()) {
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    }
    let mode = site.state_dir().metadata().expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    site.close().await;
}

#[tokio::test]
async fn run_is_silent_but_for_the_script_and_its_code_is_told_exactly() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ended = job.run("exit 0").await.with_code(0);
    assert_eq!((ended.stdout, ended.stderr), (vec![], vec![]));
    assert_eq!(job.exit_code(), None);
    let near = |n: u32| [n.saturating_sub(1), n, n + 1];
    let mut codes: Vec<u32> = [1, 4, 16, 32, 64, 128].into_iter().flat_map(near).collect();
    codes.extend([99, 101, 111, 125, 126, 130, 137, 143, 200, 254, 255]);
    codes.retain(|code| *code != 0);
    for code in codes {
        let ended = job.run(format!("exit {code}")).await.with_code(BUILD_FAILURE);
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()), "{code}");
        assert_eq!(job.exit_code().as_deref(), Some(format!("{code}\n").as_str()));
    }
    // The file is the same for all stages: a later stage must not report an earlier one's code.
    job.run("exit 0").await.passed();
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_script_that_dies_of_a_signal_gives_128_and_its_number() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // Not 3: bash ignores SIGQUIT.
    for number in [1, 2, 6, 9, 11, 13, 14, 15] {
        // A process that ignores a signal passes that on to its children, as `nohup` does, and no
        // script can undo it.
        if is_ignored(number) {
            continue;
        }
        let ended = job.run(format!("kill -{number} $$; echo {number} did not end me")).await;
        assert_eq!((ended.code, ended.out()), (BUILD_FAILURE, String::new()), "{number}");
        assert_eq!(ended.err(), "", "{number}");
        assert_eq!(job.exit_code(), Some(format!("{}\n", 128 + number)));
    }
    site.close().await;
}

#[tokio::test]
async fn the_build_code_is_the_one_that_gitlab_runner_names() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| {
        job.set("BUILD_FAILURE_EXIT_CODE", "17");
        job.set("SYSTEM_FAILURE_EXIT_CODE", "18");
    });
    job.prepare().await.passed();
    job.run("exit 3").await.with_code(17);
    assert_eq!(job.exit_code().as_deref(), Some("3\n"));
    job.cleanup().await.passed();
    let line = job.run("exit 0").await.with_code(18).error_line();
    assert!(line.starts_with("fargate-runner: error: "), "{line}");
    site.close().await;
}

#[tokio::test]
async fn every_stage_name_is_accepted_whatever_it_holds() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let long = "x".repeat(100_000);
    let names: Vec<&[u8]> = vec![
        b"step_script",
        b"step_release",
        b"clear_worktree",
        b"",
        b" ",
        b"$(touch /tmp/owned)",
        b"../../../etc/passwd",
        b"a\nerror: b",
        b"\xff\xfe",
        b"-",
        b"--",
        b"-h",
        b"--help",
        b"--version",
        b"--debug",
        b"--no-such-flag",
        long.as_bytes(),
    ];
    for name in names {
        let name = OsStr::from_bytes(name);
        let running = job.start_stage(name, "echo ran", PipeReading::Always);
        let ended = job.heard(running).await;
        let short: String = name.to_string_lossy().chars().take(40).collect();
        assert_eq!(
            (ended.code, ended.out(), ended.err()),
            (0, "ran\n".into(), String::new()),
            "{short:?}"
        );
    }
    site.close().await;
}

#[tokio::test]
async fn scripts_run_in_the_shell_that_config_announced() {
    let site = CheckedHost::open().await;
    site.set("defaults.shell", "sh");
    let job = site.prepared().await;
    // The file may change meanwhile; the job keeps what it was told.
    site.set("defaults.shell", "bash");
    let ended = job.run("echo ${BASH_VERSION:-no bash}; readlink /proc/$$/exe").await.with_code(0);
    let sh = std::fs::canonicalize("/bin/sh").expect("a shell");
    if sh.ends_with("bash") {
        fargate_tests::skip("/bin/sh is bash here");
    } else {
        assert_eq!(ended.out(), format!("no bash\n{}\n", sh.display()));
    }
    site.close().await;
}

#[tokio::test]
async fn the_system_line_of_a_stage_stands_on_a_line_of_its_own() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ended = job.run("printf 'no newline'; sleep 2; kill -9 -1").await.with_code(BUILD_FAILURE);
    assert_eq!(ended.out(), "no newline");
    let said = ended.err();
    assert!(said.starts_with("\nfargate-runner: "), "{said:?}");
    insta::assert_snapshot!(ended.error_line(), @r#"fargate-runner: error: the job ended its own environment (ECS: "Essential container in task exited"). Look for kill, reboot or firewall commands in the script (cause: environment-ended)"#);
    // The verdict must not blame anything else, and the exit code is never 0.
    assert_ne!(job.exit_code().as_deref(), Some("0\n"));
    assert!(job.exit_code().is_some());
    // Later stages of the job fail by the same cause: a job cannot choose another one.
    site.set("defaults.timeouts.ssh_handshake", "1s");
    let line = job.run("echo never").await.with_code(BUILD_FAILURE).error_line();
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(line.starts_with(expected), "{line}");
    site.close().await;
}

/// Steps that a job has once, in order. What ECS shows of the task between them depends on when it is
/// asked.
const JOB_LIFE: [&str; 11] = [
    "job.received",
    "job.admitted",
    "task.requested",
    "task.accepted",
    "agent.answered",
    "prepare.done",
    "script.started",
    "script.ended",
    "cleanup.started",
    "task.stopping",
    "cleanup.done",
];

#[tokio::test]
async fn the_operators_log_tells_the_life_of_a_job_from_received_to_cleaned_up() {
    let site = CheckedHost::open().await;
    let job = site.job();
    job.prepare().await.passed();
    job.run("exit 0").await.passed();
    job.cleanup().await.passed();
    let log = site.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events = lines.iter().filter_map(|line| line["event"].as_str());
    let told: Vec<&str> = events.filter(|event| JOB_LIFE.contains(event)).collect();
    assert_eq!(told, JOB_LIFE, "{log}");
    let line = |event| lines.iter().find(|line| line["event"] == event).expect(&log);
    assert_eq!(line("task.accepted")["task"], line("task.stopping")["task"], "{log}");
    site.close().await;
}
