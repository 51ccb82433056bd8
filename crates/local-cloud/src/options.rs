//! The options that a cloud starts with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::limits::CloudRateLimits;
use crate::network::CloudNetwork;
use crate::seed::IMAGE;
use crate::task_timing::TaskTiming;
use crate::wire::credentials::AccessKeyPair;

/// What runs the containers of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// Processes of this machine. No image is run: a container is the agent, or its own command.
    #[default]
    Processes,
    /// A Docker Engine of this machine, which runs each container's image.
    Docker {
        /// The path of its socket, `unix://PATH` or `tcp://ADDRESS:PORT`; `None` for that of
        /// `DOCKER_HOST`, or else the usual socket.
        engine: Option<String>,
        /// The image of the task definition that a cloud starts with. It holds the agent, and it must be
        /// one that a registry has, or an id (`sha256:...`) of the engine's own. `None` names one that
        /// nobody has.
        image: Option<String>,
    },
}

/// How to serve a cloud.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// Where the endpoint listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The static `fargate-agent`, which runs in every process container without a command of its own.
    /// The cloud looks for it when a task needs it, not before.
    pub agent: PathBuf,
    /// What runs the containers.
    pub backend: BackendChoice,
    /// Start without a cluster, subnets and a task definition, and accept every well-formed id of a
    /// subnet or a security group.
    pub empty: bool,
    /// The networks of each Region, as EC2 describes them. [`CloudOptions::new`] takes
    /// [`CloudNetwork::private_with_nat`].
    pub network: CloudNetwork,
    /// An IAM policy in JSON: the account's user may do what it allows and nothing else. `None` lets the user
    /// do everything.
    pub user_policy: Option<String>,
    /// How long the states of a task last.
    pub pace: TaskTiming,
    /// How fast callers may be.
    pub limits: CloudRateLimits,
    /// Where file systems and container logs live. `None` makes a temporary folder, which is deleted
    /// with the cloud.
    pub folder: Option<PathBuf>,
    /// Answer over TLS, with a certificate of the cloud's own authority for this machine's
    /// loopback names and for `cloud.example`.
    pub tls: bool,
    /// The keys whose signatures are accepted. `None` takes the pair of this process's environment, or
    /// makes a random one if there is none.
    pub access_keys: Option<AccessKeyPair>,
    /// Listen on an address that is not loopback. Everybody who reaches it and has the keys can run
    /// commands on this machine.
    pub allow_remote: bool,
}

impl CloudOptions {
    /// A furnished cloud on a free port of 127.0.0.1, without delays, limits or TLS, in a temporary
    /// folder.
    #[must_use]
    pub fn new(agent: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            agent: agent.into(),
            backend: BackendChoice::default(),
            empty: false,
            network: CloudNetwork::private_with_nat(),
            user_policy: None,
            pace: TaskTiming::Instant,
            limits: CloudRateLimits::none(),
            folder: None,
            tls: false,
            access_keys: None,
            allow_remote: false,
        }
    }

    /// The image of the task definition that a cloud starts with.
    pub(crate) fn first_image(&self) -> &str {
        match &self.backend {
            BackendChoice::Docker { image: Some(image), .. } => image,
            BackendChoice::Docker { image: None, .. } | BackendChoice::Processes => IMAGE,
        }
    }
}
