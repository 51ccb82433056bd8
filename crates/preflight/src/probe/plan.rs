//! What a task is to try: names, addresses and folders that a job of the profile needs.

use fargate_config::JobProfile;
use fargate_registry::ImageReference;
use url::Url;

/// Tells a caller the address that its request came from; AWS serves it. `--address-url` names another one.
///
/// Source: AWS Prescriptive Guidance uses it for this, <https://checkip.amazonaws.com>.
pub const ADDRESS_URL: &str = "https://checkip.amazonaws.com";

/// One thing that a task tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeStep {
    /// Finds the address of a name.
    Resolve {
        /// The name.
        host: String,
    },
    /// Asks a service that tells the address from which the task leaves.
    Address {
        /// Where the service is.
        url: String,
    },
    /// Reaches the registry of the image.
    Registry {
        /// Where its API begins.
        url: String,
    },
    /// Reaches GitLab.
    GitLab {
        /// Where it is.
        url: String,
    },
    /// Writes, renames and removes a file of its own in a volume.
    Volume {
        /// Where the volume is mounted.
        path: String,
    },
    /// Lists a volume that jobs may only read.
    ReadOnlyVolume {
        /// Where the volume is mounted.
        path: String,
    },
}

/// What a task is to try, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbePlan {
    /// The steps.
    pub steps: Vec<ProbeStep>,
}

impl ProbePlan {
    /// What the jobs of `profile` need. `gitlab` is where GitLab is, if that is known.
    #[must_use]
    pub fn of(profile: &JobProfile, gitlab: Option<&str>, address_url: &str) -> Self {
        let image = profile.image.as_deref().and_then(|image| image.parse::<ImageReference>().ok());
        // The repository's own path needs no more than the registry: any answer proves that it is reached.
        let registry = image.map(|image| {
            let plain = profile.insecure_registries.iter().any(|it| it == image.registry());
            let scheme = if plain { "http" } else { "https" };
            format!("{scheme}://{}/v2/", image.host())
        });
        let urls = [Some(address_url), registry.as_deref(), gitlab];
        let mut steps: Vec<ProbeStep> = Vec::new();
        for host in urls.into_iter().flatten().filter_map(named_host) {
            let step = ProbeStep::Resolve { host };
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps.push(ProbeStep::Address { url: address_url.to_owned() });
        steps.extend(registry.map(|url| ProbeStep::Registry { url }));
        steps.extend(gitlab.map(|url| ProbeStep::GitLab { url: url.to_owned() }));
        steps.extend(profile.storage.iter().map(|volume| {
            let path = volume.path.clone();
            match volume.read_only {
                true => ProbeStep::ReadOnlyVolume { path },
                false => ProbeStep::Volume { path },
            }
        }));
        Self { steps }
    }
}

/// The host of a URL, if it is a name and no address.
fn named_host(url: &str) -> Option<String> {
    match Url::parse(url).ok()?.host()? {
        url::Host::Domain(name) => Some(name.to_owned()),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}
