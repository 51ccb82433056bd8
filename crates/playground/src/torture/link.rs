//! The link from a job's driver to its task, which breaks as its [`Network`] says: a relay of this
//! job alone, and the machine that answers in the task's place.
//!
//! ECS shows the relay's address for the task's, by a rule of the local cloud.

use std::sync::OnceLock;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::Error;
use super::harm::JOB;
use super::network::{Moment, Network, Other};
use crate::impostor::{Heard, Impostor};
use crate::relay::{Cut, Find, Line, Relay, Way};
use crate::runner::{Call, Exit, Verb};

/// The fifth detail of an interface is its private address.
const SHOWS: &str = "set /tasks/*/attachments/*/details/4/value = ";

/// Whether a rule of the local cloud is one that leads a job through its relay, and no harm.
#[must_use]
pub fn only_leads(rule: &str) -> bool {
    rule.contains(SHOWS)
}

/// Who finds the task of a job, and that of another one.
pub struct Places {
    /// The job's own task.
    pub own: Find,
    /// The task of another job.
    pub neighbour: Find,
    /// Where tasks listen.
    pub port: u16,
}

/// See the module.
pub struct Link {
    network: Network,
    relay: Option<Relay>,
    impostor: Option<Impostor>,
    places: Places,
    script_runs: Notify,
    /// How many connections came before another machine answered, once one does.
    before: OnceLock<usize>,
}

/// What is known of a link when its job is over.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Cuts, pauses and changes that were reached.
    pub struck: usize,
    /// Connections that led to another machine.
    pub misled: usize,
    /// What another machine heard, decrypted where it could.
    pub heard: Heard,
    /// What was said in clear to a machine that only replays.
    pub swallowed: Vec<u8>,
}

impl Link {
    /// Opens it; a plain one has no relay.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]
    pub async fn open(network: Network, places: Places) -> Result<Self, Error> {
        let impostor = match &network {
            Network::Replaced(_, Other::Impostor) => Some(Impostor::listen().await?),
            _ => None,
        };
        let relay = match &network {
            Network::Plain | Network::SlowReader => None,
            _ => Some(Relay::listen(Way::Found(places.own.clone()), places.port).await?),
        };
        let (script_runs, before) = (Notify::new(), OnceLock::new());
        let link = Self { network, relay, impostor, places, script_runs, before };
        if let Some(relay) = &link.relay {
            link.plan(relay);
        }
        Ok(link)
    }

    /// What is known before the first connection.
    fn plan(&self, relay: &Relay) {
        match &self.network {
            Network::Faults(faults) => {
                faults.iter().for_each(|(nth, fault)| relay.plan_for(*nth, *fault));
            }
            Network::Changed(nth, fault) => relay.plan_for(*nth, *fault),
            Network::Pieces(bytes) => relay.in_pieces_of(*bytes),
            Network::Replaced(Moment::Beginning, other) => self.replace(relay, *other),
            _ => {}
        }
    }

    /// The rule by which ECS shows the relay.
    #[must_use]
    pub fn rule(&self) -> Option<String> {
        let shown = self.relay.as_ref()?.address.ip();
        // A launch that is asked for again is answered with a task that has its address.
        Some(format!("RunTask, DescribeTasks for {JOB}: {SHOWS}\"{shown}\""))
    }

    fn replace(&self, relay: &Relay, other: Other) {
        self.before.get_or_init(|| relay.accepted());
        relay.lead(match (other, &self.impostor) {
            (Other::Impostor, Some(impostor)) => Way::To(impostor.address),
            (Other::Replay, _) => Way::Says(relay.said_by_task()),
            _ => Way::Found(self.places.neighbour.clone()),
        });
    }

    /// The job's script has begun.
    pub fn script_runs(&self) {
        self.script_runs.notify_one();
    }

    /// A call of the job is over.
    pub fn call_ended(&self, call: &Call) {
        let Some(relay) = &self.relay else { return };
        match &self.network {
            Network::Replaced(Moment::Prepared, other)
                if call.verb == Verb::Prepare && call.exit == Exit::Code(0) =>
            {
                self.replace(relay, *other);
            }
            // What was given up stays so; the stages behind it find their task again.
            Network::Gone(_) if call.name() == "build_script" => relay.set(Line::Up),
            _ => {}
        }
    }

    /// Does what comes once the script runs; never returns.
    pub async fn harm(&self) {
        self.script_runs.notified().await;
        if let Some(relay) = &self.relay {
            match &self.network {
                Network::Down(line, long) => {
                    relay.set(*line);
                    if *line == Line::Refusing {
                        relay.cut(Cut::Rst);
                    }
                    sleep(*long).await;
                    relay.set(Line::Up);
                }
                Network::HalfOpen => relay.forget(),
                Network::Gone(line) => {
                    relay.set(*line);
                    relay.cut(Cut::Rst);
                }
                Network::Replaced(Moment::Running, other) => {
                    self.replace(relay, *other);
                    relay.cut(Cut::Rst);
                }
                _ => {}
            }
        }
        std::future::pending().await
    }

    /// Whether nobody ever came by, where there is a relay to come by.
    #[must_use]
    pub fn was_passed_by(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.accepted() == 0)
    }

    /// What happened on it.
    #[must_use]
    pub fn close(&self) -> Traffic {
        let misled = |relay: &Relay| self.before.get().map(|before| relay.accepted() - before);
        Traffic {
            misled: self.relay.as_ref().and_then(misled).unwrap_or_default(),
            struck: self.relay.as_ref().map_or(0, Relay::struck),
            heard: self.impostor.as_ref().map(Impostor::heard).unwrap_or_default(),
            swallowed: self.relay.as_ref().map(Relay::swallowed).unwrap_or_default(),
        }
    }
}
