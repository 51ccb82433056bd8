//! Parts of tests that are the same for every SSH server in a job's task.

use std::time::Instant;

use nix::sys::signal::Signal;

use crate::checked_host::CheckedHost;
use crate::files::replace_in;
use crate::job::{BUILD_FAILURE, SYSTEM_FAILURE, TestJob};
use crate::process::{TestProcessResult, mark, process};
use crate::wait::{PATIENCE, until};

/// A script that is told to end prints its last line, and its job goes on with the next stage.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn a_cancelled_script_ends(site: &CheckedHost) {
    // The process sleeps for longer than the stage may take.
    site.set("defaults.timeouts.cancel_return", "1m");
    site.set("defaults.timeouts.cancel_grace", "1m");
    let job = site.prepared().await;
    let script = "trap 'echo told to end; exit 7' TERM; echo started; sleep 1000 & wait";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("started\ntold to end\n", ""));
    assert_eq!(job.exit_code(), None);
    assert_eq!(job.run("echo after_script").await.with_code(0).out(), "after_script\n");
    assert_eq!(site.calls("StopTask"), 0, "the task is kept");
}

/// `script` says `started` and ignores TERM, as do the processes that are called `marks`: a stage
/// that is told to end returns before they do, and they are gone before the next one begins.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn what_ignores_term_is_gone_before_the_next_stage(
    site: &CheckedHost,
    script: &str,
    marks: &[&str],
) {
    site.set("defaults.timeouts.cancel_return", "300ms");
    site.set("defaults.timeouts.cancel_grace", "1m");
    let job = site.prepared().await;
    let mut running = job.start_run(script);
    running.wrote("started").await;
    for mark in marks {
        until(&format!("{mark} runs"), || process(mark).is_some()).await;
    }
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    assert_eq!(ended.err(), "");
    assert!(process(marks[0]).is_some(), "nobody waited for its end");
    // Without the next stage it would have a minute; with it, 2 s.
    let asked = Instant::now();
    let mut next = job.start_run("echo begun; exec sleep 1000");
    next.wrote("begun").await;
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    for mark in marks {
        assert_eq!(process(mark), None, "{mark} of the cancelled script still runs");
    }
    next.signal(Signal::SIGTERM);
    job.heard(next).await.with_code(SYSTEM_FAILURE);
}

/// The second signal ends the stage at once, however long the script has to end.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn a_second_signal_returns_at_once(site: &CheckedHost) {
    site.set("defaults.timeouts.cancel_return", "1m");
    site.set("defaults.timeouts.cancel_grace", "1m");
    let job = site.prepared().await;
    let script = "trap 'echo told to end' TERM; echo started; while :; do sleep 0.02; done";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    running.signal(Signal::SIGTERM);
    // The system would merge two signals that come at once.
    running.wrote("told to end").await;
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    // Sooner than the script could be ended.
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    // The next stage ends the script, which would keep its task for long.
    job.run("true").await.passed();
}

/// Starts a script that says `started` and becomes a process called `name`, and kills its driver.
///
/// # Panics
///
/// If the script does not begin.
pub async fn killed_while_it_runs(job: &TestJob, before: &str, name: &str) {
    let script = format!("{before}; echo started; exec -a {name} sleep 1000");
    let mut running = job.start_run(script);
    running.wrote("started").await;
    until("the script runs", || process(name).is_some()).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
}

/// A script whose driver was killed is ended once its client is gone for too long.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn a_script_without_its_client_ends(site: &CheckedHost) {
    site.set("defaults.timeouts.client_gone", "1s");
    let job = site.prepared().await;
    let abandoned = mark("abandoned");
    killed_while_it_runs(&job, ":", &abandoned).await;
    until("the script was ended", || process(&abandoned).is_none()).await;
    assert_eq!(job.run("echo still here").await.with_code(0).out(), "still here\n");
}

/// Two runs of one job at once: the later one wins. Gives the end of the former one.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn of_two_runs_the_later_one_wins(job: &TestJob) -> TestProcessResult {
    let mut former = job.start_run("echo former; exec sleep 1000");
    former.wrote("former").await;
    let ended = job.beside_itself().run("echo later; exit 4").await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out(), ended.err()), ("later\n".to_owned(), String::new()));
    let ended = job.heard(former).await;
    assert_eq!(ended.out(), "former\n");
    ended
}

/// Stops the task from outside while a script runs, and gives back the one line of the stage.
///
/// # Panics
///
/// Unless the stage ends with `code` and one line of our own.
pub async fn stopped_while_running(
    site: &CheckedHost,
    job: &TestJob,
    code: i32,
    (stop_code, reason): (&str, &str),
) -> String {
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    let arn = site.task_of(job).arn;
    assert!(site.cloud().stop_task_from_outside(&arn, stop_code, reason));
    let ended = job.heard(running).await.with_code(code);
    assert_eq!(ended.out(), "up\n");
    // Who could not say how the script ended leaves a mark where output may be missing.
    let others = ended.err().lines().filter(|line| !line.contains("error: ")).count();
    assert_eq!(others, ended.err().matches("output may be missing here").count());
    ended.error_line()
}

/// ECS's words for a task that had too little memory.
pub const OUT_OF_MEMORY: (&str, &str) =
    ("EssentialContainerExited", "OutOfMemoryError: Container killed due to memory usage");

/// ECS's words for tasks that end through no fault of their job, and the cause that we name.
pub const TAKEN_AWAY: [((&str, &str), &str); 5] = [
    (("SpotInterruption", "Your Spot Task was interrupted."), "AWS took the Spot task back"),
    (("TerminationNotice", "Spot is ending."), "AWS took the Spot task back"),
    (("UserInitiated", "Task stopped by alice"), "someone stopped the task in AWS"),
    (("InfrastructureHealth", "Host is retired."), "AWS replaced the machine under the task"),
    (("SomethingNew", "Nobody knows."), "the task ended for a reason that is not recognised"),
];

/// A task that was taken away while a script ran is a system failure that names `cause`.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn taken_away(site: &CheckedHost, job: &TestJob, stop: (&str, &str), cause: &str) {
    let line = stopped_while_running(site, job, SYSTEM_FAILURE, stop).await;
    let prefix = format!("fargate-runner: error: {cause} (ECS: \"{}\")", stop.1);
    assert!(line.starts_with(&prefix), "{line}");
    assert_eq!(job.exit_code(), None);
}

/// A task lives for 6 s, most of them in a script that ignores TERM; then it ends itself, and the
/// stage says why.
///
/// # Panics
///
/// If it goes otherwise.
pub async fn a_task_reaches_its_maximum_lifetime(site: &CheckedHost) {
    site.set("defaults.timeouts.lifetime_margin", "5s");
    let job = site.job();
    replace_in(&job.response(), "\"timeout\":3600", "\"timeout\":1");
    job.prepare().await.passed();
    let began = Instant::now();
    let script = "trap '' TERM; echo up; exec sleep 1000";
    let ended = job.run(script).await.with_code(SYSTEM_FAILURE);
    // The script has its grace, and the watchdog its own pace.
    assert!(began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    let line = ended.error_line();
    let expected = "fargate-runner: error: the task reached its maximum lifetime";
    assert!(line.starts_with(expected), "{line}");
    until("the task ended", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.calls("StopTask"), 0);
}

/// Where stdout and stderr of a `run` are one file, its lines stand there as the script wrote them.
///
/// # Panics
///
/// If one does not.
pub async fn streams_in_one_file_keep_the_order_of_the_script(job: &TestJob) {
    let compile = "for i in 1 2 3 4 5; do echo compiling $i; done; echo 'error: file 5' >&2; \
                   echo 'summary: 1 error'";
    let compiled = "compiling 1\ncompiling 2\ncompiling 3\ncompiling 4\ncompiling 5\n\
                    error: file 5\nsummary: 1 error\n";
    let trace = "set -x; for i in 1 2 3; do echo $i; done; printf no-newline; echo end >&2; exit 3";
    let traced = "+ for i in 1 2 3\n+ echo 1\n1\n+ for i in 1 2 3\n+ echo 2\n2\n\
                  + for i in 1 2 3\n+ echo 3\n3\n+ printf no-newline\nno-newline+ echo end\n\
                  end\n+ exit 3\n";
    for _ in 0..20 {
        assert_eq!(job.run_joined(compile).await.with_code(0).out(), compiled);
        let ended = job.run_joined(trace).await.with_code(BUILD_FAILURE);
        // What is evaluated has one `+` more.
        assert_eq!(ended.out().replace("++ ", "+ "), traced);
    }
    // Two files stay apart.
    let ended = job.run(compile).await.with_code(0);
    assert_eq!(ended.err(), "error: file 5\n");
}
