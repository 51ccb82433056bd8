//! Values that are one of a few words: each set of words once, with what every word means.
//!
//! Which key takes which set is in the settings table. The words that GitLab's driver uses for the
//! same meanings are read here as well.

use crate::check::{CheckResult, ValueRefusal};

/// A closed set of words.
pub(crate) trait ConfigKeyword: Copy + 'static {
    fn all() -> &'static [Self];
    fn word(self) -> &'static str;
}

/// Declares a set of words that a key accepts.
macro_rules! words {
    ($(#[$doc:meta])+ $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])+ $variant,)+
        }

        impl $name {
            /// Every value, in the order of the reference file.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that the file uses.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ConfigKeyword for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

words! {
    /// How much goes into the operator's log.
    LogLevel {
        /// What ended a stage.
        Error = "error",
        /// Also what was worked round.
        Warn = "warn",
        /// Also each step.
        Info = "info",
        /// Also each AWS call.
        Debug = "debug",
        /// Also each frame of the session protocol, without its contents.
        Trace = "trace",
    }
}

words! {
    /// Whom somebody on this machine is taken for by `serve`, without a token.
    LocalAccess {
        /// Nobody: a token is needed.
        Nobody = "nobody",
        /// Sees everything.
        Viewer = "viewer",
        /// Stops tasks and pauses the host as well.
        Operator = "operator",
    }
}

words! {
    /// What a token of `serve` allows.
    TokenRole {
        /// See everything.
        Viewer = "viewer",
        /// Stop tasks and pause the host as well.
        Operator = "operator",
    }
}

words! {
    /// How a line of the operator's log is written.
    LogFormat {
        /// One JSON object.
        Json = "json",
        /// For people, with colours.
        Text = "text",
        /// For people, without colours.
        TextSimple = "text-simple",
    }
}

words! {
    /// What `launch_type` may be.
    LaunchWord {
        /// That launch type.
        Fargate = "FARGATE",
        /// Neither type nor strategy: the cluster's default strategy decides.
        Cluster = "CLUSTER",
    }
}

words! {
    /// The launch types that this product uses.
    LaunchType {
        /// On demand Fargate.
        Fargate = "FARGATE",
    }
}

words! {
    /// How the task's host key is proven before the first script byte.
    HostKey {
        /// A one-time seed from which the agent derives its key. It stops anyone on the network,
        /// not someone who may read DescribeTasks.
        Seed = "seed",
        /// A key that the agent makes itself and proves by the role of its task, before STS. It stops
        /// also someone who may read DescribeTasks.
        Sts = "sts",
        /// Whatever key the task shows first, once ECS says that it is RUNNING; it is pinned for
        /// every later stage. It stops nobody who stands in the way from the beginning.
        FirstUse = "first_use",
    }
}

words! {
    /// Whether a task gets a public IP address.
    PublicIp {
        /// None; egress goes through a NAT gateway.
        None = "none",
        /// One, for egress; the task is reached by its private address.
        Assigned = "assigned",
        /// One, and the task is reached by it.
        Dialled = "dialled",
    }
}

words! {
    /// The processor that a task's image is made for.
    TaskArchitecture {
        /// 64-bit Intel and AMD.
        X86_64 = "x86_64",
        /// 64-bit ARM, Graviton.
        Arm64 = "arm64",
    }
}

words! {
    /// Which network the steps of a build have.
    BuildNetwork {
        /// The engine's own choice.
        Default = "default",
        /// That of the engine's machine.
        Host = "host",
        /// None.
        None = "none",
    }
}

words! {
    /// How the layers of an image are compressed.
    LayerCompression {
        /// zstd where engine, registry and platform take it, else gzip.
        Auto = "auto",
        /// zstd.
        Zstd = "zstd",
        /// gzip.
        Gzip = "gzip",
    }
}

words! {
    /// What makes two builds of the same content equal.
    ReproducibleBuild {
        /// Times, order and owner names are set.
        Times = "times",
        /// Also, logs and caches of package managers are left out.
        Full = "full",
    }
}

words! {
    /// Whether layers are put together.
    SquashPolicy {
        /// They stay.
        Never = "never",
        /// Those above the base image become one.
        Own = "own",
    }
}

words! {
    /// The gravest vulnerability that is accepted.
    VulnerabilityLimit {
        /// None at all.
        None = "none",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical: every one.
        Critical = "critical",
    }
}

words! {
    /// Which jobs share one folder of a volume.
    VolumeSeparation {
        /// All jobs of the profiles that name the volume.
        None = "none",
        /// The jobs of one project on protected refs; and apart from them those on other refs.
        Project = "project",
    }
}

words! {
    /// Which refs of a project a profile is for.
    RefBinding {
        /// All.
        Any = "any",
        /// Those that the forge protects.
        Protected = "protected",
    }
}

words! {
    /// What becomes of a job that asks for something that it does not get.
    UnsupportedPolicy {
        /// It runs, and its log says what it does not get.
        Warn = "warn",
        /// It fails at once.
        Refuse = "refuse",
    }
}

words! {
    /// Where a task gets tags from, beside our own and those of the configuration.
    TagPropagation {
        /// From nowhere.
        None = "none",
        /// From its task definition.
        TaskDefinition = "task_definition",
    }
}

words! {
    /// The kind of key that is made for each task.
    ClientKeyKind {
        /// Ed25519.
        Ed25519 = "ed25519",
        /// RSA with 3072 bits, for servers that know nothing newer.
        Rsa = "rsa",
    }
}

words! {
    /// The shells that gitlab-runner can write scripts for and that run in a task.
    Shell {
        /// `bash`.
        Bash = "bash",
        /// `sh`.
        Sh = "sh",
        /// Whatever gitlab-runner's own configuration names; each script's first line says it.
        Runner = "runner",
    }
}

pub(crate) fn word<T: ConfigKeyword>(given: &str) -> CheckResult<T> {
    let known = T::all().iter().copied().find(|value| value.word() == given);
    known.ok_or_else(|| {
        let words: Vec<_> = T::all().iter().map(|value| format!("`{}`", value.word())).collect();
        let is = if words.len() == 1 { "allowed is" } else { "allowed are" };
        let refusal = ValueRefusal::new(format!("{is} {}", words.join(", ")));
        let same = T::all().iter().find(|value| value.word().eq_ignore_ascii_case(given));
        match same {
            Some(value) => refusal.hint(format!("write it as `\"{}\"`", value.word())),
            None => refusal,
        }
    })
}

/// As [`word`], and gives the word itself.
pub(crate) fn one_of<T: ConfigKeyword>(given: &str) -> CheckResult<String> {
    word::<T>(given).map(|value| value.word().to_owned())
}

pub(crate) fn launch_type(given: &str) -> CheckResult<String> {
    one_of::<LaunchWord>(given).map_err(|refusal| match given {
        "FARGATE_SPOT" => refusal.hint(
            "Spot is a provider: \
             `capacity_provider_strategy = [{ provider = \"FARGATE_SPOT\" }]`",
        ),
        "EC2" | "EXTERNAL" | "MANAGED_INSTANCES" => {
            refusal.hint("jobs on shared instances could take each other's roles")
        }
        _ => refusal,
    })
}

/// A level of logrus, in any case.
///
/// Source: logrus, `ParseLevel`.
pub(crate) fn logrus_level(given: &str) -> CheckResult<String> {
    let level = match given.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => LogLevel::Error,
        "warn" | "warning" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => {
            return Err(ValueRefusal::new(
                "allowed are `trace`, `debug`, `info`, `warn`, `warning`, `error`, `fatal`, `panic`",
            ));
        }
    };
    Ok(level.as_str().to_owned())
}

/// A format of the log, in any case.
pub(crate) fn log_format_in_any_case(given: &str) -> CheckResult<String> {
    one_of::<LogFormat>(&given.to_ascii_lowercase())
}
