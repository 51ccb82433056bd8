//! What a task is to try: names, addresses and folders that a job of the profile needs.

use fargate_config::{DefinitionSource, JobProfile};
use fargate_registry::{ImageReference, ImageReferenceError};
use url::Url;

use crate::check_run::DefinitionImages;
use crate::read::named_image::named_image;

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
    /// Why no step reaches the registry: nobody knows which one it is.
    pub no_registry: Option<String>,
}

impl ProbePlan {
    /// What the jobs of `profile` need. `images` are those of fixed task definitions, as far as they were read;
    /// `gitlab` is where GitLab is, if that is known.
    #[must_use]
    pub fn of(
        profile: &JobProfile,
        images: &DefinitionImages,
        gitlab: Option<&str>,
        address_url: &str,
    ) -> Self {
        let (image, no_registry) = match job_image(profile, images) {
            Ok(image) => (Some(image), None),
            Err(why) => (None, Some(why)),
        };
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
        Self { steps, no_registry }
    }
}

/// The image of the container that runs the scripts.
///
/// # Errors
///
/// Why it is not known, in words.
fn job_image(profile: &JobProfile, images: &DefinitionImages) -> Result<ImageReference, String> {
    let text = match profile.definition() {
        DefinitionSource::Derived(_) => named_image(profile)?.unwrap_or_default(),
        DefinitionSource::Fixed(name) => {
            let container = &profile.container;
            let known = images.get(&(name.to_owned(), container.clone())).cloned();
            known.ok_or_else(|| {
                format!("the image of the container `{container}` of {name} is not known")
            })?
        }
    };
    text.parse().map_err(|error: ImageReferenceError| error.to_string())
}

/// The host of a URL, if it is a name and no address.
fn named_host(url: &str) -> Option<String> {
    match Url::parse(url).ok()?.host()? {
        url::Host::Domain(name) => Some(name.to_owned()),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use fargate_config::UnknownKeyPolicy;

    use super::*;
    use crate::job_needs::JobNeeds;

    const GITLAB: Option<&str> = Some("https://gitlab.example.com");
    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

    /// The profile of a file whose `[defaults]` and further tables are these.
    fn profile(defaults: &str, tables: &str) -> JobProfile {
        let text = format!(
            "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-0a1\"]\n\
             security_groups = [\"sg-0a1\"]\n{defaults}\n{tables}\n"
        );
        let path = std::path::Path::new("config.toml");
        let loaded = fargate_config::parse(&text, path, UnknownKeyPolicy::Warn);
        let needs = JobNeeds::of(&loaded.expect("the file is right").config, None).unwrap();
        needs[0].profiles[0].clone()
    }

    fn plan(profile: &JobProfile, images: &DefinitionImages) -> ProbePlan {
        ProbePlan::of(profile, images, GITLAB, ADDRESS_URL)
    }

    fn resolve(host: &str) -> ProbeStep {
        ProbeStep::Resolve { host: host.to_owned() }
    }

    fn registry(url: &str) -> ProbeStep {
        ProbeStep::Registry { url: url.to_owned() }
    }

    #[test]
    fn a_task_tries_each_name_the_way_out_the_registry_gitlab_and_the_volumes() {
        let defaults = format!(
            "image = \"registry.example.com/ci/job@{DIGEST}\"\ntask_role = \"ci-task\"\n\
             volumes = [\"cache\", \"data\"]"
        );
        let tables = "[volume.cache]\nfile_system = \"fs-0a1b2c3d\"\npath = \"/cache\"\n\
                      [volume.data]\nfile_system = \"fs-0a1b2c3d\"\npath = \"/data\"\nread_only = true";
        let planned = plan(&profile(&defaults, tables), &DefinitionImages::new());
        let steps = vec![
            resolve("checkip.amazonaws.com"),
            resolve("registry.example.com"),
            resolve("gitlab.example.com"),
            ProbeStep::Address { url: ADDRESS_URL.to_owned() },
            registry("https://registry.example.com/v2/"),
            ProbeStep::GitLab { url: "https://gitlab.example.com".to_owned() },
            ProbeStep::Volume { path: "/cache".to_owned() },
            ProbeStep::ReadOnlyVolume { path: "/data".to_owned() },
        ];
        assert_eq!(planned, ProbePlan { steps, no_registry: None });
    }

    #[test]
    fn an_address_needs_no_name_and_a_registry_without_tls_is_asked_without() {
        let defaults =
            "image = \"10.0.0.9:5000/ci/job:1\"\ninsecure_registries = [\"10.0.0.9:5000\"]";
        let planned = plan(&profile(defaults, ""), &DefinitionImages::new());
        assert!(planned.steps.contains(&registry("http://10.0.0.9:5000/v2/")), "{planned:?}");
        assert!(!planned.steps.contains(&resolve("10.0.0.9")), "{planned:?}");
    }

    #[test]
    fn the_registry_of_a_fixed_definition_is_that_of_its_container() {
        let profile = profile("task_definition = \"ci\"", "");
        let image = |container: &str, image: &str| {
            (("ci".to_owned(), container.to_owned()), image.to_owned())
        };
        let images = DefinitionImages::from([
            image("job", "registry.example.com/ci/job:1"),
            image("side", "other.example.com/side:1"),
        ]);
        let known = plan(&profile, &images);
        assert!(known.steps.contains(&registry("https://registry.example.com/v2/")), "{known:?}");
        let unknown = plan(&profile, &DefinitionImages::new());
        let is_registry = |step: &ProbeStep| matches!(step, ProbeStep::Registry { .. });
        assert!(!unknown.steps.iter().any(is_registry), "{unknown:?}");
        assert!(unknown.no_registry.is_some_and(|why| why.contains("`job` of ci")));
    }

    #[test]
    fn the_registry_of_a_channel_is_that_of_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("images.json");
        let tables = format!(
            "[image.ci]\nrepository = \"registry.example/team/ci\"\ncontext = \"/srv/ci\"\n\
             manifest = \"{}\"",
            manifest.display()
        );
        let profile = profile("image = \"ci@stable\"", &tables);
        let missing = plan(&profile, &DefinitionImages::new());
        assert!(missing.no_registry.is_some_and(|why| why.contains("ci@stable")));
        let text = format!(
            r#"{{"images": {{"ci": {{
                "channels": {{"stable": {{"digest": "{DIGEST}", "since": "1970-01-01T00:00:00Z"}}}},
                "repository": "registry.example/team/ci",
                "versions": [{{"created": "1970-01-01T00:00:00Z", "digest": "{DIGEST}", "layers": 0,
                    "size_bytes": 0, "status": "candidate", "tag": "ci-1"}}]}}}}, "schema": 1}}"#
        );
        std::fs::write(&manifest, text).unwrap();
        let found = plan(&profile, &DefinitionImages::new());
        assert!(found.steps.contains(&registry("https://registry.example/v2/")), "{found:?}");
    }
}
