//! Services that give wrong answers, and services whose answer to RunTask is lost: the driver
//! limits its memory, and says what it knows.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob, memory_kib, until};
use nix::sys::signal::Signal;

use crate::answer_server::{AnswerServer, CannedAnswer};
use crate::block;
use crate::credential_sources::without_keys;

/// More than any stage takes whose answers have 8 MiB.
const MEMORY_LIMIT_KIB: u64 = 96 * 1024;

/// Runs `prepare` for some tries and gives what it says in the end, and the most memory that it took.
async fn prepares(
    site: &CheckedHost,
    job: &TestJob,
    server: &AnswerServer,
    tries: usize,
) -> (String, u64) {
    let prepare = job.start(&["prepare"]);
    until("it was tried", || server.asked().len() >= tries).await;
    let memory = memory_kib(prepare.pid());
    let ended = job.heard(prepare).await.with_code(SYSTEM_FAILURE);
    assert!(!site.log().contains("panic"), "{}", site.log());
    (block(&ended), memory)
}

#[tokio::test]
async fn an_answer_without_end_takes_little_memory_and_is_told_as_that() {
    let endless: [fn() -> CannedAnswer; 2] =
        [|| CannedAnswer::Endless, || CannedAnswer::Announced(1 << 40)];
    for answer in endless {
        let site = CheckedHost::open().await;
        site.set("defaults.timeouts.prepare", "4s");
        site.set("defaults.timeouts.task_start", "4s");
        site.set("defaults.timeouts.task_stop", "1s");
        let server = AnswerServer::start(move |_| answer()).await;
        let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", server.url()));
        let (told, memory) = prepares(&site, &job, &server, 3).await;
        let lines: Vec<_> = told.lines().take(2).map(str::to_owned).collect();
        assert_eq!(lines[0], "error: the answer of http://PLACE cannot be read");
        assert_eq!(lines[1], "  ECS answered: the answer is longer than 8 MiB.");
        assert!(memory < MEMORY_LIMIT_KIB, "{memory} KiB");
        // Whoever answered so may have started a task.
        let mended = site.same_job(&job, |job| {
            job.set("AWS_ENDPOINT_URL_ECS", site.cloud().endpoint());
        });
        mended.cleanup().await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn a_source_of_credentials_without_end_takes_little_memory() {
    let site = CheckedHost::open().await;
    let server = AnswerServer::start(|_| CannedAnswer::Endless).await;
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/keys", server.url()));
    });
    let (told, memory) = prepares(&site, &job, &server, 1).await;
    assert!(told.contains("the answer is longer than 8 MiB"), "{told}");
    assert!(memory < MEMORY_LIMIT_KIB, "{memory} KiB");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_answer_that_is_none_of_ecs_is_told_as_that_and_not_as_no_answer() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "2s");
    site.set("defaults.timeouts.task_start", "2s");
    site.set("defaults.timeouts.task_stop", "500ms");
    let server = AnswerServer::start(|_| CannedAnswer::Body("<html>".to_owned())).await;
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", server.url()));
    let (told, _) = prepares(&site, &job, &server, 1).await;
    assert!(told.starts_with("error: the answer of http://PLACE cannot be read"), "{told}");
    let mended = site.same_job(&job, |job| {
        job.set("AWS_ENDPOINT_URL_ECS", site.cloud().endpoint());
    });
    mended.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_cancelled_start_whose_answer_was_lost_says_what_is_known() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_stop", "1s");
    let rules = "RunTask call 1: reset after commit\nRunTask calls 2-: hang\n";
    site.cloud().set_faults(rules.parse().expect("rules"));
    let job = site.job();
    let prepare = job.start(&["prepare"]);
    until("it was sent again", || site.calls("RunTask") >= 2).await;
    prepare.signal(Signal::SIGTERM);
    let ended = job.heard(prepare).await.with_code(SYSTEM_FAILURE);
    let told = "Cancelled: ECS did not say whether a task was started, the clean-up asks again and stops it\n";
    assert!(ended.out().ends_with(told), "{}", ended.out());
    site.cloud().clear_faults();
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.all().is_empty(), "{}", cleaned.all());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_cancelled_start_whose_task_is_found_again_names_it() {
    let site = CheckedHost::open().await;
    let rules = "RunTask call 1: reset after commit\nRunTask call 2 until 2s: hang\n";
    site.cloud().set_faults(rules.parse().expect("rules"));
    let job = site.job();
    let prepare = job.start(&["prepare"]);
    until("it was sent again", || site.calls("RunTask") >= 2).await;
    prepare.signal(Signal::SIGTERM);
    let ended = job.heard(prepare).await.with_code(SYSTEM_FAILURE);
    let task = site.task_of(&job);
    let id = &task.arn.rsplit('/').next().expect("an id")[..8];
    let told = format!("Cancelled: task {id} is being stopped\n");
    assert!(ended.out().ends_with(&told), "{}", ended.out());
    assert_eq!(task.desired_status, "STOPPED");
    job.cleanup().await.passed();
    site.close().await;
}
