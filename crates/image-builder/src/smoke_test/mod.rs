//! The smoke test: the image that is going to be pushed runs on the engine with a key for this once, and a
//! job runs in it over SSH as the driver would run it.
//!
//! It takes an image that the engine has ([`load_layout`](crate::load_layout) brings it there), pushes
//! nothing, and leaves nothing behind: not after a failure, and not after a signal. What a killed process
//! left, the next test removes.

mod banner;
mod captured_output;
mod expectations;
mod image_facts;
mod job_checks;
mod job_keys;
mod left_over;
mod log_tail;
mod phase;
mod phase_problem;
mod test_container;
mod test_job;
mod test_report;
mod test_request;

pub use expectations::{ExpectedPeer, SmokeExpectations};
pub use left_over::sweep_smoke_tests;
pub use test_report::{SmokeCheck, SmokeTestReport};
pub use test_request::SmokeTestRequest;

use std::time::Instant;

use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use fargate_events::EventEmitter;
use image_facts::ImageFacts;
use job_keys::JobKeys;
use phase::{PhaseLog, millis};
use phase_problem::PhaseProblem;
use test_container::TestContainer;
use test_job::SmokeJob;

/// Runs a job in the image.
///
/// # Errors
///
/// [`ImageFailure::SmokeTestFailed`] with the phase, the times and the end of the container's log;
/// [`ImageFailure::EngineUnusable`] also if the container cannot be reached from here,
/// [`ImageFailure::Interrupted`].
pub async fn run_smoke_test(
    run: &ImageRun,
    request: SmokeTestRequest<'_>,
) -> Result<SmokeTestReport, ImageFailure> {
    run.whole_step(ImageStep::SmokeTest, async {
        if let Err(failure) = sweep_smoke_tests(request.engine).await {
            run.events.warn(ImageStep::SmokeTest, format!("former smoke tests: {failure}"));
        }
        // It is no job of this host: nothing of it belongs into the log of jobs.
        let nobody = EventEmitter::new(std::iter::empty());
        let report = nobody.scope(whole_test(run, &request)).await?;
        let banner = seconds(report.banner_ms);
        Ok((report, format!("job over SSH passed, banner after {banner}")))
    })
    .await
}

async fn whole_test(
    run: &ImageRun,
    request: &SmokeTestRequest<'_>,
) -> Result<SmokeTestReport, ImageFailure> {
    let facts = ImageFacts::read(request.engine, request.image).await?;
    let keys = JobKeys::draw(&request.expects, &run.masker)?;
    let container = TestContainer::create(request, &keys).await?;
    let mut log = PhaseLog::new(run);
    let tested = phases(request, &facts, &keys, &container, &mut log).await;
    let tested = match tested {
        Ok(report) => Ok(report),
        Err(problem) => Err(failure(request, &facts, &container, &log, problem).await),
    };
    let removed = container.remove().await;
    match (tested, removed) {
        (Ok(report), Ok(())) => Ok(report),
        (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure),
    }
}

async fn phases(
    request: &SmokeTestRequest<'_>,
    facts: &ImageFacts,
    keys: &JobKeys,
    container: &TestContainer,
    log: &mut PhaseLog,
) -> Result<SmokeTestReport, PhaseProblem> {
    let begun = Instant::now();
    let addresses = log.start(container).await?;
    let (address, stream) = log.banner(container, &addresses, request).await?;
    let banner_ms = millis(begun.elapsed());
    let job = log.login(container, SmokeJob::login(address, stream, keys, request)).await?;
    job_checks::all(&job, facts, container, log).await?;
    log.stop(container, request.expects.stop_timeout).await?;
    let took_ms = millis(begun.elapsed());
    Ok(SmokeTestReport { peer: job.peer().to_owned(), banner_ms, took_ms, checks: log.take() })
}

/// The problem with all that helps to understand it.
async fn failure(
    request: &SmokeTestRequest<'_>,
    facts: &ImageFacts,
    container: &TestContainer,
    log: &PhaseLog,
    problem: PhaseProblem,
) -> ImageFailure {
    let (what, hint) = match problem {
        PhaseProblem::Other(failure) => return failure,
        PhaseProblem::Image { what, hint } => (what, hint),
    };
    let ended = container.exit_code().await;
    let ended = ended.map_or_else(String::new, |code| format!("\nthe container ended with {code}"));
    let foreign = facts.foreign_architecture(request.engine);
    let foreign = foreign.map_or_else(String::new, |words| format!("\n{words}"));
    let tail = log_tail::of(request.engine, container.name(), &log.run().masker).await;
    ImageFailure::SmokeTestFailed {
        what: format!(
            "smoke test of {}: {what}\nphases: {}{ended}{foreign}\n{tail}",
            fargate_model::text::escape_within(request.image, 120),
            log.times()
        ),
        hint,
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
