//! The link from a job's driver to its task, which breaks as its [`NetworkHarm`] says. It has a relay for
//! this job alone, and may have a machine that answers in the task's place.
//!
//! A rule of the local cloud makes ECS show the address of the relay in place of the task's.

use std::sync::OnceLock;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::TortureError;
use super::harm::JOB;
use super::network::{NetworkHarm, ReplacementMachine, ReplacementMoment};
use crate::impostor::{ImpostorRecord, ImpostorServer};
use crate::relay::{ConnectionCut, FaultyRelay, RelayBehaviour, RelayTarget, TargetLookup};
use crate::runner::{DriverCall, DriverCallKind, DriverProcessExit};

/// The fifth detail of an interface is its private address.
const SHOWS: &str = "set /tasks/*/attachments/*/details/4/value = ";

/// Whether a rule of the local cloud only leads a job through its relay, and harms nothing.
#[must_use]
pub fn only_leads(rule: &str) -> bool {
    rule.contains(SHOWS)
}

/// Finds the task of a job, and the task of another job.
pub struct LinkTargets {
    /// The job's own task.
    pub own: TargetLookup,
    /// The task of another job.
    pub neighbour: TargetLookup,
    /// Where tasks listen.
    pub port: u16,
}

/// The link of one job: a relay, or nothing if its network is not harmed.
pub struct DriverTaskLink {
    network: NetworkHarm,
    relay: Option<FaultyRelay>,
    impostor: Option<ImpostorServer>,
    places: LinkTargets,
    script_runs: Notify,
    /// How many connections came before another machine answered. None while no other machine answers.
    before: OnceLock<usize>,
}

/// What is known of a link when its job is over.
#[derive(Clone, Debug, Default)]
pub struct LinkTraffic {
    /// Cuts, pauses and changes that were reached.
    pub struck: usize,
    /// Connections that led to another machine.
    pub misled: usize,
    /// What another machine heard, decrypted where it could.
    pub heard: ImpostorRecord,
    /// What was said in clear to a machine that only replays.
    pub swallowed: Vec<u8>,
}

impl DriverTaskLink {
    /// Opens it. A link whose network is not harmed has no relay.
    ///
    /// # Errors
    ///
    /// [`TortureError::Io`], if the system gives no port.
    pub async fn open(network: NetworkHarm, places: LinkTargets) -> Result<Self, TortureError> {
        let impostor = match &network {
            NetworkHarm::Replaced(_, ReplacementMachine::Impostor) => {
                Some(ImpostorServer::listen().await?)
            }
            _ => None,
        };
        let relay = match &network {
            NetworkHarm::Plain | NetworkHarm::SlowReader => None,
            _ => Some(
                FaultyRelay::listen(RelayTarget::Found(places.own.clone()), places.port).await?,
            ),
        };
        let (script_runs, before) = (Notify::new(), OnceLock::new());
        let link = Self { network, relay, impostor, places, script_runs, before };
        if let Some(relay) = &link.relay {
            link.plan(relay);
        }
        Ok(link)
    }

    /// What is known before the first connection.
    fn plan(&self, relay: &FaultyRelay) {
        match &self.network {
            NetworkHarm::Faults(faults) => {
                faults.iter().for_each(|(nth, fault)| relay.plan_for(*nth, *fault));
            }
            NetworkHarm::Changed(nth, fault) => relay.plan_for(*nth, *fault),
            NetworkHarm::Pieces(bytes) => relay.in_pieces_of(*bytes),
            NetworkHarm::Replaced(ReplacementMoment::Beginning, other) => {
                self.replace(relay, *other)
            }
            _ => {}
        }
    }

    /// The rule by which ECS shows the relay.
    #[must_use]
    pub fn rule(&self) -> Option<String> {
        let shown = self.relay.as_ref()?.address.ip();
        // If a launch is asked for again, the answer already has the address of the task.
        Some(format!("RunTask, DescribeTasks for {JOB}: {SHOWS}\"{shown}\""))
    }

    fn replace(&self, relay: &FaultyRelay, other: ReplacementMachine) {
        self.before.get_or_init(|| relay.accepted());
        relay.lead(match (other, &self.impostor) {
            (ReplacementMachine::Impostor, Some(impostor)) => RelayTarget::To(impostor.address),
            (ReplacementMachine::Replay, _) => RelayTarget::Says(relay.said_by_task()),
            _ => RelayTarget::Found(self.places.neighbour.clone()),
        });
    }

    /// The job's script has begun.
    pub fn script_runs(&self) {
        self.script_runs.notify_one();
    }

    /// A call of the job is over.
    pub fn call_ended(&self, call: &DriverCall) {
        let Some(relay) = &self.relay else { return };
        match &self.network {
            NetworkHarm::Replaced(ReplacementMoment::Prepared, other)
                if call.verb == DriverCallKind::Prepare
                    && call.exit == DriverProcessExit::Code(0) =>
            {
                self.replace(relay, *other);
            }
            // A stage that was given up stays so. Later stages find their task again.
            NetworkHarm::Gone(_) if call.name() == "build_script" => relay.set(RelayBehaviour::Up),
            _ => {}
        }
    }

    /// Does what the harm does while the script runs. It never returns.
    pub async fn harm(&self) {
        self.script_runs.notified().await;
        if let Some(relay) = &self.relay {
            match &self.network {
                NetworkHarm::Down(line, long) => {
                    relay.set(*line);
                    if *line == RelayBehaviour::Refusing {
                        relay.cut(ConnectionCut::Rst);
                    }
                    sleep(*long).await;
                    relay.set(RelayBehaviour::Up);
                }
                NetworkHarm::HalfOpen => relay.forget(),
                NetworkHarm::Gone(line) => {
                    relay.set(*line);
                    relay.cut(ConnectionCut::Rst);
                }
                NetworkHarm::Replaced(ReplacementMoment::Running, other) => {
                    self.replace(relay, *other);
                    relay.cut(ConnectionCut::Rst);
                }
                _ => {}
            }
        }
        std::future::pending().await
    }

    /// Whether there is a relay and nobody connected to it.
    #[must_use]
    pub fn was_passed_by(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.accepted() == 0)
    }

    /// What happened on it.
    #[must_use]
    pub fn close(&self) -> LinkTraffic {
        let misled =
            |relay: &FaultyRelay| self.before.get().map(|before| relay.accepted() - before);
        LinkTraffic {
            misled: self.relay.as_ref().and_then(misled).unwrap_or_default(),
            struck: self.relay.as_ref().map_or(0, FaultyRelay::struck),
            heard: self.impostor.as_ref().map(ImpostorServer::heard).unwrap_or_default(),
            swallowed: self.relay.as_ref().map(FaultyRelay::swallowed).unwrap_or_default(),
        }
    }
}
