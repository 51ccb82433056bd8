//! `exec`: a person runs one command in one new task.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, PATIENCE, TestJob, TestProcessResult, until};
use nix::sys::signal::Signal;

/// Exit code when the command never ran.
const NEVER_RAN: i32 = 125;

/// A person at this host: the configuration, and no gitlab-runner.
fn person(site: &CheckedHost) -> Rc<TestJob> {
    site.job_with(|job| {
        job.environment.retain(|name, _| {
            let name = name.to_string_lossy();
            !(name.contains("EXIT_CODE")
                || name.starts_with("CUSTOM_ENV_")
                || name.starts_with("JOB_"))
        });
        job.environment.insert("FARGATE_RUNNER_CONFIG".into(), site.config().into());
        job.arguments = vec!["exec".into()];
    })
}

async fn exec(person: &TestJob, arguments: &[&str]) -> TestProcessResult {
    person.heard(person.start(arguments)).await
}

#[tokio::test]
async fn stdout_is_the_command_s_alone_byte_for_byte() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let ended = exec(&person, &["-q", "--", "printf", "x"]).await.with_code(0);
    assert_eq!((ended.stdout.as_slice(), ended.err().as_str()), (&b"x"[..], ""));
    let ended = exec(&person, &["--", "printf", r"a\0b\377"]).await.with_code(0);
    assert_eq!(ended.stdout, b"a\0b\xff");
    // Arguments arrive as they are: no shell takes them apart.
    let words = ["-q", "--", "printf", "%s|", "a b", "$HOME", "*", "", "--", "-q"];
    let ended = exec(&person, &words).await.with_code(0);
    assert_eq!(ended.out(), "a b|$HOME|*||--|-q|");
    let tasks = site.cloud().tasks();
    let stopped = tasks.iter().all(|task| task.desired_status == "STOPPED");
    assert!(stopped, "each task is stopped before its exec returns: {tasks:?}");
    site.close().await;
}

#[tokio::test]
async fn the_exit_code_is_the_command_s() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    for code in [1, 3, 124, 126, 255] {
        let command = format!("echo out; echo err >&2; exit {code}");
        let ended = exec(&person, &["-q", "--", "sh", "-c", &command]).await.with_code(code);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
    }
    let ended = exec(&person, &["--", "sh", "-c", "kill -9 $$"]).await.with_code(137);
    assert!(ended.err().contains("exit 137 after "), "{}", ended.err());
    site.close().await;
}

#[tokio::test]
async fn a_script_comes_from_a_file() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let script = site.folder().join("runner").join("script.sh");
    fs::write(&script, "echo one; exit 4").expect("a writable folder");
    let path = script.display().to_string();
    let ended = exec(&person, &["-q", "--script", &path]).await.with_code(4);
    assert_eq!(ended.out(), "one\n");
    // Standard input is empty here, and an empty script passes.
    exec(&person, &["-q", "--script", "-"]).await.passed();
    site.close().await;
}

#[tokio::test]
async fn its_task_has_the_size_and_the_short_idle_time_that_were_asked_for() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let size = ["-q", "--cpu", "512", "--memory", "2048", "--", "true"];
    exec(&person, &size).await.passed();
    let task = site.cloud().tasks().pop().expect("a task");
    assert_eq!(
        (&task.overrides["cpu"], &task.overrides["memory"]),
        (&"512".into(), &"2048".into())
    );
    assert_eq!(task.environment["FARGATE_RUNNER_IDLE_S"], "120");
    site.close().await;
}

#[tokio::test]
async fn what_keeps_a_command_from_running_gives_125() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let ended = exec(&person, &["--cpu", "3", "--memory", "4", "--", "true"]).await;
    insta::assert_snapshot!(ended.with_code(NEVER_RAN).err(), @"
    error: cpu 3 is not a Fargate size; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384, 32768
    hint: `--cpu 256 --memory 512`
    ");
    let ended = exec(&person, &["--script", "/no/such/script"]).await.with_code(NEVER_RAN);
    assert!(ended.error_line().starts_with("error: reading the script"), "{}", ended.err());
    let ended = exec(&person, &["--profile", "no-such", "--", "true"]).await.with_code(NEVER_RAN);
    assert!(ended.error_line().contains("no-such"), "{}", ended.err());
    assert_eq!(site.calls("RunTask"), 0);
    let ended = exec(&person, &["--", "no-such-program"]).await.with_code(NEVER_RAN);
    assert_eq!(ended.error_line(), "error: the image has no no-such-program");
    until("its task stopped", || site.cloud().live_tasks() == 0).await;
    site.cloud().fail(
        "RunTask",
        CloudFault::Exception {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "not authorized to perform: ecs:RunTask on resource: *".to_owned(),
        },
    );
    let ended = exec(&person, &["--", "true"]).await.with_code(NEVER_RAN);
    assert_eq!(ended.error_line(), "error: this host's role may not ecs:RunTask");
    site.close().await;
}

#[tokio::test]
async fn an_interrupt_ends_the_command_and_its_task() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let command = "trap 'echo interrupted; exit 130' INT; echo up; sleep 1000 & wait";
    let mut running = person.start(&["--", "bash", "-c", command]);
    running.wrote("up").await;
    running.signal(Signal::SIGINT);
    let ended = person.heard(running).await.with_code(130);
    assert_eq!(ended.out(), "up\ninterrupted\n");
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    until("its task stopped", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.calls("StopTask"), 1);
    site.close().await;
}

#[tokio::test]
async fn an_interrupt_while_the_task_starts_stops_it() {
    let site = CheckedHost::open().await;
    let phase = fargate_local_cloud::CloudTaskPhase::Pending;
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase });
    let person = person(&site);
    let running = person.start(&["--", "true"]);
    // By then it knows which task it has started.
    until("a look at the task", || site.calls("DescribeTasks") > 0).await;
    running.signal(Signal::SIGINT);
    let ended = person.heard(running).await.with_code(130);
    assert!(ended.err().contains("is being stopped"), "{}", ended.err());
    until("its task stopped", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_task_that_is_stopped_from_outside_is_told_as_that() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let mut running = person.start(&["--", "sh", "-c", "echo up; exec sleep 1000"]);
    running.wrote("up").await;
    let arn = site.cloud().tasks().pop().expect("a task").arn;
    site.cloud().stop_task_from_outside(
        &arn,
        "SpotInterruption",
        "Your Spot Task was interrupted.",
    );
    let ended = person.heard(running).await;
    assert_ne!(ended.code, 0);
    assert_eq!(ended.error_line(), "error: AWS took the Spot task back");
    site.close().await;
}

#[tokio::test]
async fn a_command_that_leaves_with_0_when_its_task_is_taken_back_has_not_passed() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let program = "import signal, sys, time\n\
                   signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n\
                   print('up', flush=True)\n\
                   time.sleep(1000)";
    let mut running = person.start(&["--", "python3", "-c", program]);
    running.wrote("up").await;
    let rule = "task 1 at RUNNING: interrupt 20s";
    site.cloud().set_faults(rule.parse().expect("a rule"));
    let ended = person.heard(running).await.with_code(NEVER_RAN);
    assert_eq!(ended.error_line(), "error: AWS took the Spot task back");
    site.close().await;
}

#[tokio::test]
async fn its_state_is_gone_afterwards() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    exec(&person, &["-q", "--", "true"]).await.passed();
    let jobs = fs::read_dir(site.state_dir().join("jobs")).expect("a folder").count();
    assert_eq!(jobs, 0);
    let mode = site.state_dir().metadata().expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    site.close().await;
}
