//! A host whose configuration has `[image.ci]` in a real registry, and a manifest with some versions.

use std::fs;
use std::path::PathBuf;

use fargate_tests::CheckedHost;
use fargate_tests::image_registry::{ImageRegistry, PASSWORD, USER};
use serde_json::{Value, json};
use tokio::process::Command;

pub const REPOSITORY: &str = "team/ci";

/// The host, its registry and its manifest.
pub struct ManagedHost {
    pub host: CheckedHost,
    pub registry: ImageRegistry,
}

/// What a command said.
pub struct SaidByImage {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl ManagedHost {
    /// `None` where no registry is installed.
    pub async fn open() -> Option<Self> {
        let registry = ImageRegistry::start().await?;
        let host = CheckedHost::open().await;
        for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "1s"), ("aws_call", "2s")] {
            host.set(&format!("defaults.timeouts.{key}"), time);
        }
        let login = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        host.cloud().put_secret("ci/registry", &login).expect("a name and a value");
        let this = Self { host, registry };
        this.host.set("image.ci.repository", this.repository());
        this.host.set("image.ci.context", "/nonexistent");
        this.host.set("image.ci.manifest", this.manifest_path().to_str().expect("UTF-8"));
        this.host.set("image.ci.registry_secret", "ci/registry");
        Some(this)
    }

    /// Registry and repository of the image.
    pub fn repository(&self) -> String {
        format!("{}/{REPOSITORY}", self.registry.host())
    }

    pub fn manifest_path(&self) -> PathBuf {
        self.host.folder().join("images.json")
    }

    /// Pushes versions `ci-0`, `ci-1`, ... that were tested, and lists them in a new manifest.
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

    pub fn write_manifest(&self, manifest: &Value) {
        fs::write(self.manifest_path(), manifest.to_string()).expect("a writable folder");
    }

    pub fn manifest(&self) -> Value {
        let text = fs::read(self.manifest_path()).expect("a manifest");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Changes the manifest as a person does.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest();
        change(&mut manifest["images"]["ci"]);
        self.write_manifest(&manifest);
    }

    /// The digest that the manifest gives a channel.
    pub fn channel(&self, name: &str) -> Option<String> {
        let manifest = self.manifest();
        let digest = &manifest["images"]["ci"]["channels"][name]["digest"];
        digest.as_str().map(str::to_owned)
    }

    /// The digest that the tag of a channel has in the registry.
    pub fn tag(&self, name: &str) -> Option<String> {
        self.registry.digest_of_tag(REPOSITORY, name).map(|(digest, _)| digest)
    }

    /// Calls `image` with these arguments.
    pub async fn image(&self, arguments: &[&str]) -> SaidByImage {
        self.image_with(arguments, None).await
    }

    /// The same with the place at which the process is killed.
    pub async fn image_with(&self, arguments: &[&str], end_at: Option<&str>) -> SaidByImage {
        let mut command = Command::new(fargate_tests::runner());
        command.arg("--config").arg(self.host.config()).env_clear();
        command.envs(self.host.environment()).env("AWS_ENDPOINT_URL", self.host.cloud().endpoint());
        command.envs(end_at.map(|end| (fargate_tests::END_AT, end)));
        command.arg("image").args(arguments).kill_on_drop(true);
        let output = command.output().await.expect("a program that can be started");
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&self.registry.host(), "REGISTRY")
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD), "{out}{err}");
        SaidByImage { code: output.status.code(), out, err }
    }

    /// The same, which must succeed. Gives stdout without its line end.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let said = self.image(arguments).await;
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// The same, which must fail with this code. Gives the error and its hint.
    pub async fn refused(&self, arguments: &[&str], code: i32) -> String {
        let said = self.image(arguments).await;
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        let from = said.err.find("error: ").unwrap_or_else(|| panic!("no error in {}", said.err));
        said.err[from..].replace(self.host.folder().to_str().expect("UTF-8"), "FOLDER")
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
