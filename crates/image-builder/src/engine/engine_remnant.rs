//! What this program puts on an engine for a while: a container or an image. It goes again whatever happens,
//! and its name or label tells who left it if the process was killed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::errors::Error;
use bollard::query_parameters::{RemoveContainerOptions, RemoveImageOptions};
use fargate_model::random;
use fargate_state::{RunnerLiveness, RunnerProcess};
use tokio::time::timeout;

use super::image_engine::ImageEngine;
use crate::failure::ImageFailure;

/// How long a removal may take.
const REMOVAL_TIME: Duration = Duration::from_secs(30);
/// Age at which a remnant of another host belongs to nobody. Ours: no smoke test takes half as long.
const OLDEST: Duration = Duration::from_secs(3600);

/// Who put something on an engine, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemnantOwner {
    process: RunnerProcess,
    since_s: u64,
}

impl RemnantOwner {
    /// This process, now.
    pub(crate) fn this_process() -> Result<Self, ImageFailure> {
        let process = RunnerProcess::this_process().filter(|own| own.to_label().is_some());
        let process = process.ok_or_else(|| ImageFailure::Unusable {
            what: "reading who this process is, in /proc: it is not readable".to_owned(),
            hint: "mount /proc".to_owned(),
        })?;
        Ok(Self { process, since_s: now_s() })
    }

    /// A name for one thing of this owner, in at most 128 characters that a tag may have.
    pub(crate) fn new_label(&self) -> Result<String, ImageFailure> {
        let random = random::bytes::<4>().map_err(|error| ImageFailure::Unusable {
            what: format!("drawing random bytes: {error}"),
            hint: "look at this host's random number source".to_owned(),
        })?;
        let process = self.process.to_label().unwrap_or_default();
        Ok(format!("{}-{}-{process}", hex::encode(random), self.since_s))
    }

    /// Who is named by a label.
    fn of(label: &str) -> Option<Self> {
        let (_, rest) = label.split_once('-')?;
        let (since, process) = rest.split_once('-')?;
        Some(Self { process: RunnerProcess::from_label(process)?, since_s: since.parse().ok()? })
    }

    fn is_gone(&self) -> bool {
        let age = Duration::from_secs(now_s().saturating_sub(self.since_s));
        match self.process.presence() {
            RunnerLiveness::Ended => true,
            // Another boot: of this host, or another host.
            RunnerLiveness::Rebooted => age > OLDEST,
            RunnerLiveness::Possible => age > OLDEST.saturating_mul(2),
        }
    }
}

/// Whether a label of ours names a process that cannot clean up any more. A label that cannot be read is not
/// ours.
pub(crate) fn is_left_over(label: &str) -> bool {
    RemnantOwner::of(label).is_some_and(|owner| owner.is_gone())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RemnantKind {
    Container,
    Image,
}

/// Something on an engine that goes with this value.
#[derive(Debug)]
pub(crate) struct EngineRemnant {
    engine: ImageEngine,
    kind: RemnantKind,
    name: String,
    is_removed: bool,
}

impl EngineRemnant {
    /// A container, by its name. It need not exist yet.
    pub(crate) fn container(engine: &ImageEngine, name: &str) -> Self {
        let (engine, name) = (engine.clone(), name.to_owned());
        Self { engine, kind: RemnantKind::Container, name, is_removed: false }
    }

    /// A tag of an image, and the image if it has no other tag.
    pub(crate) fn image(engine: &ImageEngine, name: &str) -> Self {
        let (engine, name) = (engine.clone(), name.to_owned());
        Self { engine, kind: RemnantKind::Image, name, is_removed: false }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Removes it. What is not there counts as removed.
    pub(crate) async fn remove(mut self) -> Result<(), ImageFailure> {
        let removed = removal(&self.engine, self.kind, &self.name).await;
        self.is_removed = removed.is_ok();
        removed
    }
}

impl Drop for EngineRemnant {
    /// For a future that was dropped, and for a panic: removes it by a connection of its own, because the
    /// event loop of the other one may be about to end. Waits as long as a removal may take.
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let (address, kind) = (self.engine.facts().address.clone(), self.kind);
        let name = std::mem::take(&mut self.name);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Ok(engine) = ImageEngine::connect(Some(&address)).await {
                    // The next sweep tries again.
                    let _ = removal(&engine, kind, &name).await;
                }
            });
        };
        if let Ok(thread) = std::thread::Builder::new().name("engine-removal".into()).spawn(work) {
            let _ = thread.join();
        }
    }
}

async fn removal(engine: &ImageEngine, kind: RemnantKind, name: &str) -> Result<(), ImageFailure> {
    let client = engine.client();
    let removed = async {
        match kind {
            RemnantKind::Container => {
                let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
                client.remove_container(name, Some(options)).await
            }
            RemnantKind::Image => {
                let options = RemoveImageOptions { force: true, ..Default::default() };
                client.remove_image(name, Some(options), None).await.map(drop)
            }
        }
    };
    match timeout(REMOVAL_TIME, removed).await {
        Ok(Ok(())) | Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(()),
        // The engine is removing it already.
        Ok(Err(Error::DockerResponseServerError { status_code: 409, message }))
            if message.contains("already in progress") =>
        {
            Ok(())
        }
        Ok(Err(error)) => Err(engine.unusable(&format!("the removal of {name}"), &error)),
        Err(_) => Err(ImageFailure::EngineUnusable {
            what: format!("removing {name}: no answer within {} s", REMOVAL_TIME.as_secs()),
            hint: "look whether dockerd lives, and at its log".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_left_over_once_its_process_is_gone_and_never_while_it_lives() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let own = RemnantOwner::this_process().unwrap();
        let label = own.new_label().unwrap();
        assert!(label.len() <= 128, "{label}");
        assert_eq!(RemnantOwner::of(&label), Some(own.clone()));
        assert!(!is_left_over(&label));
        child.wait().unwrap();
        let pid = std::process::id().to_string();
        let dead = label.replace(&format!("-{pid}-"), &format!("-{}-", child.id()));
        assert!(is_left_over(&dead), "{dead}");
        for odd in ["", "latest", "a-b", &label[9..]] {
            assert!(!is_left_over(odd), "{odd}");
        }
    }

    #[test]
    fn what_another_host_left_counts_by_its_age_alone() {
        let label =
            |age_s: u64| format!("0a0b0c0d-{}-{}-4026531836-1-1", now_s() - age_s, "ab".repeat(16));
        assert!(!is_left_over(&label(60)));
        assert!(is_left_over(&label(OLDEST.as_secs() + 60)));
    }
}
