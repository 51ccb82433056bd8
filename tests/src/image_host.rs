//! A host whose configuration has `[image.ci]`: a registry, a folder with a context in git, a manifest, and maybe
//! an engine. `fargate-runner image` is called on it.

use std::fs;
use std::path::PathBuf;

use fargate_access_policy::PolicyHolder;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::checked_host::{CheckedHost, runner};
use crate::docker_engine::TestEngine;
use crate::image_registry::{ImageRegistry, PASSWORD, USER};
use crate::invariants::END_AT;

/// The repository of the image in the registry.
pub const REPOSITORY: &str = "team/ci";

/// The host, and its registry.
pub struct ImageHost {
    /// The host.
    pub host: CheckedHost,
    /// Its registry, which asks for a password that `registry_secret` gives.
    pub registry: ImageRegistry,
    docker_host: Option<String>,
}

/// What a command said.
pub struct SaidByImage {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl ImageHost {
    /// Without an engine. `None` where no registry is installed.
    ///
    /// # Panics
    ///
    /// If something does not start.
    pub async fn open() -> Option<Self> {
        Self::of(CheckedHost::open().await, None).await
    }

    /// With an engine for builds alone, at this `DOCKER_HOST`.
    ///
    /// # Panics
    ///
    /// If something does not start.
    pub async fn with_builder(docker_host: &str) -> Option<Self> {
        let made = Self::of(CheckedHost::open().await, Some(docker_host.to_owned())).await?;
        made.host.set("defaults.shell", "sh");
        Some(made)
    }

    /// With an engine for builds and for tasks.
    ///
    /// # Panics
    ///
    /// If something does not start.
    pub async fn with_engine(engine: &TestEngine) -> Option<Self> {
        let host = CheckedHost::open_with(|options| engine.choose(options)).await;
        let made = Self::of(host, Some(format!("unix://{}", engine.socket()))).await?;
        made.host.set("defaults.shell", "sh");
        Some(made)
    }

    async fn of(host: CheckedHost, docker_host: Option<String>) -> Option<Self> {
        let Some(registry) = ImageRegistry::start().await else {
            host.close().await;
            return None;
        };
        for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "1s"), ("aws_call", "2s")] {
            host.set(&format!("defaults.timeouts.{key}"), time);
        }
        let login = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        host.cloud().put_secret("ci/registry", &login).expect("a name and a value");
        let this = Self { host, registry, docker_host };
        this.host.set("image.ci.repository", this.repository());
        this.host.set("image.ci.context", this.context().to_str().expect("UTF-8"));
        this.host.set("image.ci.manifest", this.manifest_path().to_str().expect("UTF-8"));
        this.host.set("image.ci.registry_secret", "ci/registry");
        for folder in ["context", "spool"] {
            fs::create_dir(this.path(folder)).expect("a writable folder");
        }
        Some(this)
    }

    /// Registry and repository of the image.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{REPOSITORY}", self.registry.host())
    }

    /// A path in the folder of the host.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.host.folder().join(name)
    }

    /// The folder that is built.
    #[must_use]
    pub fn context(&self) -> PathBuf {
        self.path("context")
    }

    /// The command `image` with these arguments, ready to be started.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runner());
        command.arg("--config").arg(self.host.config());
        self.surround(&mut command);
        command.arg("image").args(arguments);
        command
    }

    /// Gives a command the environment of this host.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn surround(&self, command: &mut Command) {
        let builder = self.host.environment_of(PolicyHolder::ImageBuilder, &self.host.config());
        command.env_clear().envs(builder).kill_on_drop(true);
        command.env("AWS_ENDPOINT_URL", self.host.cloud().endpoint());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("TMPDIR", self.path("spool"));
        command.env("DOCKER_CONFIG", self.path("docker"));
        if let Some(docker_host) = &self.docker_host {
            command.env("DOCKER_HOST", docker_host);
        }
    }

    /// Calls `image` with these arguments.
    ///
    /// # Panics
    ///
    /// As [`Self::said`].
    pub async fn image(&self, arguments: &[&str]) -> SaidByImage {
        self.said(self.command(arguments)).await
    }

    /// The same with the place at which the process ends.
    ///
    /// # Panics
    ///
    /// As [`Self::said`].
    pub async fn image_with(&self, arguments: &[&str], end_at: Option<&str>) -> SaidByImage {
        let mut command = self.command(arguments);
        command.envs(end_at.map(|end| (END_AT, end)));
        self.said(command).await
    }

    /// Waits for a command. The password is nowhere in what it says.
    ///
    /// # Panics
    ///
    /// If the program cannot be started, or if the password is there.
    pub async fn said(&self, mut command: Command) -> SaidByImage {
        let output = command.output().await.expect("a program that can be started");
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&self.registry.host(), "REGISTRY")
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD), "{out}{err}");
        SaidByImage { code: output.status.code(), out, err }
    }

    /// Calls `image`, which must succeed. Gives stdout without its line end.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let said = self.image(arguments).await;
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// Calls `image`, which must fail with this code. Gives what stderr says from the error on.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn refused(&self, arguments: &[&str], code: i32) -> String {
        let said = self.image(arguments).await;
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        let from = said.err.find("error: ").unwrap_or_else(|| panic!("no error in {}", said.err));
        said.err[from..].replace(self.host.folder().to_str().expect("UTF-8"), "FOLDER")
    }

    /// Pushes versions `ci-0`, `ci-1`, ... that were tested, and lists them in a new manifest.
    ///
    /// # Panics
    ///
    /// If the registry refuses one.
    pub fn with_versions(&self, count: usize) -> Vec<String> {
        let push = |n: usize| {
            let (tag, label) = (format!("ci-{n}"), n.to_string());
            self.registry.push_labelled(REPOSITORY, &tag, "amd64", &label)
        };
        let digests: Vec<String> = (0..count).map(push).collect();
        let versions = digests.iter().enumerate().map(|(n, digest)| version(digest, n));
        let image =
            json!({ "repository": self.repository(), "versions": versions.collect::<Vec<_>>() });
        self.write_manifest(&json!({ "schema": 1, "images": { "ci": image } }));
        digests
    }

    /// Where the manifest is.
    #[must_use]
    pub fn manifest_path(&self) -> PathBuf {
        self.path("images.json")
    }

    /// Writes the manifest.
    ///
    /// # Panics
    ///
    /// If the disk refuses.
    pub fn write_manifest(&self, manifest: &Value) {
        fs::write(self.manifest_path(), manifest.to_string()).expect("a writable folder");
    }

    /// The manifest.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let text = fs::read(self.manifest_path()).expect("a manifest");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// What the manifest says of the image; nothing if there is none.
    #[must_use]
    pub fn entry(&self) -> Value {
        if !self.manifest_path().exists() {
            return Value::Null;
        }
        self.manifest()["images"]["ci"].clone()
    }

    /// The versions that the manifest lists.
    #[must_use]
    pub fn versions(&self) -> Vec<Value> {
        self.entry()["versions"].as_array().cloned().unwrap_or_default()
    }

    /// Changes the manifest as a person does.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest();
        change(&mut manifest["images"]["ci"]);
        self.write_manifest(&manifest);
    }

    /// The digest that the manifest gives a channel.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<String> {
        let digest = &self.manifest()["images"]["ci"]["channels"][name]["digest"];
        digest.as_str().map(str::to_owned)
    }

    /// The digest that the tag of a channel has in the registry.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<String> {
        self.registry.digest_of_tag(REPOSITORY, name).map(|(digest, _)| digest)
    }

    /// The candidate tags that the registry has.
    #[must_use]
    pub fn candidate_tags(&self) -> Vec<String> {
        let tags = self.registry.tags(REPOSITORY);
        tags.into_iter().filter(|tag| tag.starts_with("ci-c")).collect()
    }

    /// What is in the folder for layers, without the locks.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[must_use]
    pub fn spooled(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("spool")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }
}

fn version(digest: &str, n: usize) -> Value {
    json!({
        "digest": digest,
        "tag": format!("ci-{n}"),
        "created": format!("2026-01-{:02}T00:00:00Z", n + 1),
        "status": "tested",
        "scan": { "rules": "1", "findings": 0 },
        "added_by_a_newer_program": n,
    })
}
