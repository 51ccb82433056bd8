//! `[image.NAME]`: one image that `fargate-runner image` builds, checks, pushes and promotes.
//!
//! Which jobs run it is a profile's business.

use std::path::PathBuf;
use std::time::Duration;

use crate::check;
use crate::keyword::{
    BuildNetwork, LayerCompression, ReproducibleBuild, SquashPolicy, TaskArchitecture,
    VulnerabilityLimit,
};
use crate::row::{flag, keyword, number, path, text, texts, time};
use crate::table::settings_table;

/// Most build arguments, build secrets and replicas. Ours.
const MAX_ITEMS: usize = 50;

/// Levels of zstd that Fargate's own decompression takes in a window of 8 MiB; gzip has 9.
const MAX_LEVEL: u32 = 19;

/// Most MiB of the cache. Ours: 16 MiB are facts about some thousand layers.
const MAX_CACHE_MIB: u32 = 1024;

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(24 * 365);

settings_table! {
    /// An image that this program builds and promotes.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ManagedImage {
        beside {
            /// The image's name.
            pub name: String,
        }
        /// Where it is pushed: registry and repository, without tag and digest.
        pub repository: String =
            text(check::repository).example("\"registry.example/team/ci\""),
        /// The folder that is built. An absolute path.
        pub context: PathBuf = path(check::absolute_path).example("\"/srv/images/ci\""),
        /// The Dockerfile, by its path inside the context.
        pub dockerfile: String = text(check::relative_path).or_text("Dockerfile"),
        /// The manifest that says which digest each channel has: a file that is kept in git. An absolute
        /// path; several images may share it.
        pub manifest: PathBuf =
            path(check::absolute_path).example("\"/srv/images/images.json\""),
        /// The secret with the login of the registry: its name or ARN.
        pub registry_secret: Option<String> = text(check::secret)
            .or_absent("Docker's own configuration, or none")
            .example("\"ci/registry\""),
        /// Registries, each with its port, that may be reached without TLS.
        pub insecure_registries: Vec<String> =
            texts(0, MAX_ITEMS, check::registry).or_empty()
                .example("[\"registry.internal:5000\"]"),
        /// Whether the repository may be one that everybody can pull from.
        pub allow_public: bool = flag().or_flag(false),
        /// Other repositories that get the same bytes, in other regions or accounts.
        pub replicas: Vec<String> = texts(0, MAX_ITEMS, check::repository).or_empty()
            .example("[\"registry-us.example/team/ci\"]"),
        /// Secrets with the logins of replicas, `REGISTRY=SECRET` each: host and port of the registry, and the
        /// name or ARN of the secret. Without one, the login is that of ECR or of Docker's configuration.
        pub replica_secrets: Vec<String> = texts(0, MAX_ITEMS, check::replica_secret).or_empty()
            .example("[\"registry-us.example=ci/registry-us\"]"),
        /// The processor that it is made for: `"x86_64"` or `"arm64"`.
        pub architecture: TaskArchitecture = keyword::<TaskArchitecture>().or_text("x86_64"),
        /// Build arguments, `NAME=value` each. Everybody who has the image can read them.
        pub build_args: Vec<String> = texts(0, MAX_ITEMS, check::build_argument).or_empty()
            .example("[\"BASE=debian:bookworm-slim\"]"),
        /// Secrets for `RUN --mount=type=secret`, `ID=/absolute/path/of/a/file` each. They need an engine
        /// with BuildKit.
        pub build_secrets: Vec<String> = texts(0, MAX_ITEMS, check::build_secret).or_empty()
            .example("[\"npm=/run/secrets/npm\"]"),
        /// The network of build steps: `"default"` is the engine's own choice, `"host"` the one of its machine,
        /// `"none"` no network.
        pub build_network: BuildNetwork = keyword::<BuildNetwork>().or_text("default"),
        /// How layers are compressed: `"auto"`, `"zstd"`, or `"gzip"` for old engines and for lazy loading
        /// by SOCI.
        pub compression: LayerCompression = keyword::<LayerCompression>().or_text("auto"),
        /// The level of that compression. gzip has 1 to 9.
        pub compression_level: u32 = number(1, MAX_LEVEL).or_number(3),
        /// What makes two builds of the same content equal: `"times"` sets times, order and owner names;
        /// `"full"` also leaves out the logs and caches that package managers write.
        pub reproducible: ReproducibleBuild = keyword::<ReproducibleBuild>().or_text("times"),
        /// Whether the layers above the base image become one: `"never"` or `"own"`.
        pub squash: SquashPolicy = keyword::<SquashPolicy>().or_text("never"),
        /// Most MiB of this user's cache that tells `image push` and `image publish` which layers they know. All
        /// images share it; what was not used for the longest time goes first.
        pub cache_mib: u32 = number(1, MAX_CACHE_MIB).or_number(16),
        /// The file with findings of the secret scan that are no secrets, each with a reason and an end. An
        /// absolute path.
        pub waivers: Option<PathBuf> = path(check::absolute_path)
            .or_absent("every finding counts")
            .example("\"/srv/images/waivers.toml\""),
        /// The profile whose `ssh` and `host_key` the smoke test uses.
        pub profile: Option<String> = text(check::profile_name)
            .or_absent("`[defaults]`")
            .example("\"own-image\""),
        /// How long a candidate waits before it may become `stable`.
        pub soak: Duration = time(Duration::ZERO, YEAR).or_time(Duration::ZERO),
        /// Age at which the image of `stable` is called stale.
        pub stale_after: Duration = time(DAY, YEAR).or_time(DAY.saturating_mul(30)),
        /// How long a candidate that no manifest lists is kept in the registry.
        pub unneeded_after: Duration = time(DAY, YEAR).or_time(DAY.saturating_mul(14)),
        /// When a version that was replaced in `stable` is deprecated: jobs warn then, and are refused as long
        /// again after that.
        pub deprecate_after: Option<Duration> = time(DAY, YEAR)
            .or_absent("no version is deprecated by itself")
            .example("\"90days\""),
        /// The gravest vulnerability in a scanner's report with which an image may become `stable`:
        /// `"none"`, `"low"`, `"medium"`, `"high"` or `"critical"`.
        pub max_vulnerability: VulnerabilityLimit =
            keyword::<VulnerabilityLimit>().or_text("high"),
        /// The key that signs what is promoted: the absolute path of a PEM file, or the ARN of a key of KMS.
        pub signing_key: Option<String> = text(check::signing_key)
            .or_absent("nothing is signed")
            .example("\"/etc/fargate-runner/cosign.key\""),
    }
}
