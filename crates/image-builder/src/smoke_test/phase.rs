//! The phases of one test: each with a deadline, its time, and an end if the run is asked to stop or the
//! container ends.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fargate_model::text::duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::banner::{BannerDial, no_banner};
use super::phase_problem::PhaseProblem;
use super::test_container::TestContainer;
use super::test_job::SmokeJob;
use super::test_report::SmokeCheck;
use super::test_request::SmokeTestRequest;
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// How long an engine may take to start a container that it has made.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a login and the first command may take.
const LOGIN_LIMIT: Duration = Duration::from_secs(60);
/// How long the engine may take beyond the stop time-out.
const STOP_MARGIN: Duration = Duration::from_secs(20);

/// What was done so far.
pub(super) struct PhaseLog {
    run: ImageRun,
    checks: Vec<SmokeCheck>,
}

impl PhaseLog {
    pub(super) fn new(run: &ImageRun) -> Self {
        Self { run: run.clone(), checks: Vec::new() }
    }

    /// The run that it belongs to.
    pub(super) fn run(&self) -> &ImageRun {
        &self.run
    }

    /// What was done.
    pub(super) fn take(&mut self) -> Vec<SmokeCheck> {
        std::mem::take(&mut self.checks)
    }

    /// The times of all phases, in one line for people.
    pub(super) fn times(&self) -> String {
        let times = self.checks.iter().map(|check| {
            format!("{} {}", check.name, duration(Duration::from_millis(check.took_ms)))
        });
        let times: Vec<_> = times.collect();
        if times.is_empty() { "none passed".to_owned() } else { times.join(", ") }
    }

    /// Starts the container, and gives the addresses at which it may be reached.
    pub(super) async fn start(
        &mut self,
        container: &TestContainer,
    ) -> Result<Vec<SocketAddr>, PhaseProblem> {
        let work = async {
            let addresses = container.start().await?;
            Ok((addresses, true, "started".to_owned()))
        };
        self.within("container start", START_LIMIT, None, work).await
    }

    /// Dials until an SSH server answers.
    pub(super) async fn banner(
        &mut self,
        container: &TestContainer,
        addresses: &[SocketAddr],
        request: &SmokeTestRequest<'_>,
    ) -> Result<(SocketAddr, TcpStream), PhaseProblem> {
        let dial = BannerDial::new(addresses, &request.expects.timeouts);
        let limit = request.expects.timeouts.agent_start;
        let work = async {
            let (address, stream, server) = dial.first().await;
            Ok(((address, stream), true, server))
        };
        let reached = self.within("SSH banner", limit, Some(container), work).await;
        match reached {
            Err(PhaseProblem::Image { what, hint }) if container.exit_code().await.is_none() => {
                Err(no_banner(&dial, request.engine, what, hint))
            }
            other => other,
        }
    }

    /// Logs in and gives the peer its terms.
    pub(super) async fn login(
        &mut self,
        container: &TestContainer,
        login: impl Future<Output = Result<SmokeJob, PhaseProblem>>,
    ) -> Result<SmokeJob, PhaseProblem> {
        let work = async {
            let job = login.await?;
            let words = format!("logged in, {} answers", job.peer());
            Ok((job, true, words))
        };
        self.within("login", LOGIN_LIMIT, Some(container), work).await
    }

    /// Sends SIGTERM to the container.
    pub(super) async fn stop(
        &mut self,
        container: &TestContainer,
        stop_timeout: Duration,
    ) -> Result<(), PhaseProblem> {
        let work = async {
            let took = container.stop(stop_timeout).await?;
            if took >= stop_timeout {
                return Err(PhaseProblem::image(
                    format!("it did not end within {} after SIGTERM", duration(stop_timeout)),
                    "let the entry point `exec` the server, or start it by an init such as tini: process 1 \
                     gets only the signals that it handles, and a task that does not end costs until it is \
                     killed",
                ));
            }
            Ok(((), true, format!("ended {} after SIGTERM", duration(took))))
        };
        self.within("stop", stop_timeout + STOP_MARGIN, None, work).await
    }

    /// Does one check. `work` tells whether it was done, and what came of it.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        limit: Duration,
        container: &TestContainer,
        work: impl Future<Output = Result<(bool, String), PhaseProblem>>,
    ) -> Result<(), PhaseProblem> {
        let work = async {
            let (done, words) = work.await?;
            Ok(((), done, words))
        };
        self.within(name, limit, Some(container), work).await
    }

    /// Does the work of a phase. It ends early if `alive` ends.
    async fn within<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        alive: Option<&TestContainer>,
        work: impl Future<Output = Result<(T, bool, String), PhaseProblem>>,
    ) -> Result<T, PhaseProblem> {
        let begun = Instant::now();
        self.run.events.tell(ImageEvent::StepProgress {
            step: ImageStep::SmokeTest,
            summary: name.to_owned(),
        });
        let ended = async {
            match alive {
                Some(container) => container.ended().await,
                None => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            biased;
            () = self.run.cancelled() => return Err(interrupted()),
            done = timeout(limit, work) => done,
            code = ended => Ok(Err(PhaseProblem::image(
                format!("the container ended with {code} while it was needed"),
                "start it by hand to see why: `docker run --rm -e SSH_PUBLIC_KEY=\"$(cat KEY.pub)\" IMAGE`",
            ))),
        };
        let took = begun.elapsed();
        let failed = |what: String| format!("{name} failed after {}: {what}", duration(took));
        match done {
            Ok(Ok((value, done, words))) => {
                self.checks.push(SmokeCheck { name, done, words, took_ms: millis(took) });
                Ok(value)
            }
            Ok(Err(PhaseProblem::Image { what, hint })) => {
                Err(PhaseProblem::Image { what: failed(what), hint })
            }
            Ok(Err(other)) => Err(other),
            Err(_) => Err(PhaseProblem::image(
                failed(format!("not done within {}", duration(limit))),
                "look at the end of the container's log, and start it by hand",
            )),
        }
    }
}

fn interrupted() -> PhaseProblem {
    PhaseProblem::Other(ImageFailure::Interrupted {
        during: ImageStep::SmokeTest.label(),
        left: "its container is removed".to_owned(),
    })
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
