//! What the work for one job takes from its caller: whose account, which secrets to mask, who may cancel
//! it, what time it is, and who takes its events.
//!
//! Nothing of this is kept for the whole process, so that one process can run many jobs at once. The
//! caller listens for signals and decides which of them ends which job.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_config::{JobProfile, JobTimeouts};
use fargate_events::EventEmitter;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use fargate_state::BreakerLimits;

use crate::session::CancelHandle;
use crate::task::EcsClient;

/// Settings that were already read and checked.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// This host's name, if the configuration gives one.
    pub owner: Option<String>,
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// The profile that was asked for.
    pub profile: JobProfile,
    /// How long the task is kept if the job fails, as far as the profile allows it.
    pub hold: Option<Duration>,
}

/// All that the work for one job takes from its caller. Clones share the masker and hear the same cancellations.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The account, and how the job runs in it.
    pub settings: DriverSettings,
    /// Learns the secrets of the job, and masks them in all that is said about it.
    pub masker: SharedMasker,
    /// Hears that the job is to end.
    pub cancel: CancelHandle,
    /// Tells the time of day.
    pub clock: WallClock,
    /// Takes the events of the job.
    pub events: EventEmitter,
}

impl JobContext {
    /// The profile that was asked for.
    #[must_use]
    pub fn profile(&self) -> &JobProfile {
        &self.settings.profile
    }

    /// Its deadlines.
    #[must_use]
    pub fn timeouts(&self) -> &JobTimeouts {
        &self.settings.profile.timeouts
    }

    /// When a capacity provider is left alone.
    #[must_use]
    pub fn breaker_limits(&self) -> BreakerLimits {
        let profile = self.profile();
        BreakerLimits {
            failures: profile.limits.capacity_failures,
            window: profile.timeouts.capacity_window,
            pause: profile.timeouts.capacity_pause,
        }
    }

    /// Opens ECS as [`EcsClient::connect`] does.
    ///
    /// # Errors
    ///
    /// As [`EcsClient::connect`].
    pub async fn ecs(&self) -> Result<EcsClient, CauseReport> {
        EcsClient::connect(self.profile(), &self.masker).await
    }

    /// Opens ECS in a Region that is already known, from a state file.
    ///
    /// # Errors
    ///
    /// As [`EcsClient::in_region`].
    pub async fn ecs_in(&self, region: Option<String>) -> Result<EcsClient, CauseReport> {
        EcsClient::in_region(region, self.profile(), &self.masker).await
    }
}

/// The time of day, which people and other hosts share. Waits use a clock that nobody sets.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl WallClock {
    /// That of this host.
    #[must_use]
    pub fn system() -> Self {
        Self::of(SystemTime::now)
    }

    /// One that tells what `now` says.
    pub fn of(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }

    /// The time since 1970.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}
