//! How an image was built, as SLSA v1 provenance in an in-toto statement. Build arguments are named; their
//! values are left out, because some are no business of those who read a registry.
//!
//! The statement is not signed by itself: the signature of the image does not cover it.
//!
//! Source: "SLSA Provenance", version 1; in-toto Attestation Framework, "Statement v1".

use fargate_image_manifest::{ImageDigest, ManifestTime};
use serde_json::{Value, json};

use super::bill_of_materials::AttestedImage;

/// The kind of the statement.
pub const PROVENANCE_TYPE: &str = "application/vnd.in-toto+json";
const BUILD_TYPE: &str = "urn:fargate-runner:image-build:v1";
const BUILDER: &str = "urn:fargate-runner:image-builder";

/// How an image was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProvenance {
    /// The NAME of `[image.NAME]`.
    pub name: String,
    /// The Dockerfile inside the context, or nothing for an image that was not built here.
    pub dockerfile: Option<String>,
    /// The names of the build arguments.
    pub argument_names: Vec<String>,
    /// The names of the build secrets.
    pub secret_names: Vec<String>,
    /// The digest of the context.
    pub context: Option<ImageDigest>,
    /// The commit of the context.
    pub commit: Option<String>,
    /// Whether files had been changed since that commit.
    pub dirty: bool,
    /// The images that it was built on, each with its digest if that is known.
    pub bases: Vec<(String, Option<ImageDigest>)>,
    /// How layers are compressed.
    pub compression: CompressionProvenance,
    /// The search for secrets: the version of the rules, findings and waivers.
    pub scan: ScanProvenance,
    /// The version of the agent inside, if there is one.
    pub agent: Option<String>,
    /// The version of GitLab Runner's helper inside, if there is one.
    pub helper: Option<String>,
    /// When the build began.
    pub started: ManifestTime,
    /// When the image was pushed.
    pub finished: ManifestTime,
}

/// How layers were compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressionProvenance {
    /// `zstd` or `gzip`.
    pub format: String,
    /// Its level.
    pub level: u32,
    /// The library and its version, because another version may give other bytes.
    pub library: String,
}

/// What the search for secrets found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanProvenance {
    /// The version of the rules.
    pub rules: String,
    /// Findings that no waiver covers.
    pub findings: u32,
    /// Findings that a waiver covers.
    pub waived: u32,
}

/// The names of `NAME=value` settings, without the values.
#[must_use]
pub fn setting_names(settings: &[String]) -> Vec<String> {
    let name = |setting: &String| setting.split('=').next().unwrap_or_default().to_owned();
    settings.iter().map(name).collect()
}

impl BuildProvenance {
    /// Writes the statement about `image`.
    #[must_use]
    pub fn statement(&self, image: &AttestedImage) -> Vec<u8> {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": image.repository, "digest": sha256(&image.digest) }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "image": self.name,
                        "dockerfile": self.dockerfile,
                        "platform": image.architecture,
                        "argumentNames": self.argument_names,
                        "secretNames": self.secret_names,
                    },
                    "internalParameters": {
                        "compression": {
                            "format": self.compression.format,
                            "level": self.compression.level,
                            "library": self.compression.library,
                        },
                        "secretScan": {
                            "rules": self.scan.rules,
                            "findings": self.scan.findings,
                            "waived": self.scan.waived,
                        },
                        "agent": self.agent,
                        "helper": self.helper,
                    },
                    "resolvedDependencies": self.dependencies(),
                },
                "runDetails": {
                    "builder": {
                        "id": BUILDER,
                        "version": { "fargate-runner": env!("CARGO_PKG_VERSION") },
                    },
                    "metadata": {
                        "startedOn": self.started,
                        "finishedOn": self.finished,
                    },
                },
            },
        });
        let mut text = statement.to_string();
        text.push('\n');
        text.into_bytes()
    }

    fn dependencies(&self) -> Vec<Value> {
        let mut dependencies = Vec::new();
        if self.context.is_some() || self.commit.is_some() {
            let mut digest = self.context.as_ref().map_or_else(|| json!({}), sha256);
            if let Some(commit) = &self.commit {
                digest["gitCommit"] = commit.as_str().into();
            }
            dependencies.push(json!({
                "name": "context", "digest": digest, "annotations": { "dirty": self.dirty },
            }));
        }
        dependencies.extend(self.bases.iter().map(|(reference, digest)| {
            let mut base = json!({ "name": "base", "uri": format!("docker://{reference}") });
            if let Some(digest) = digest {
                base["digest"] = sha256(digest);
            }
            base
        }));
        dependencies
    }
}

fn sha256(digest: &ImageDigest) -> Value {
    json!({ "sha256": digest.as_str().trim_start_matches("sha256:") })
}

#[cfg(test)]
mod tests {
    use super::super::oci_artifact::sha256_of;
    use super::*;

    #[test]
    fn the_statement_names_what_was_used_and_holds_no_value_of_an_argument() {
        let time: ManifestTime = "2026-11-01T08:00:00Z".to_owned().try_into().unwrap();
        let arguments = ["BASE=debian:12".to_owned(), "TOKEN=canary=1".to_owned()];
        let built = BuildProvenance {
            name: "ci".into(),
            dockerfile: Some("Dockerfile".into()),
            argument_names: setting_names(&arguments),
            secret_names: setting_names(&["npm=/run/canary".to_owned()]),
            context: Some(sha256_of(b"context")),
            commit: Some("0f".repeat(20)),
            dirty: false,
            bases: vec![("debian:12".into(), Some(sha256_of(b"base"))), ("local:1".into(), None)],
            compression: CompressionProvenance {
                format: "zstd".into(),
                level: 3,
                library: "zstd 1.5.7".into(),
            },
            scan: ScanProvenance { rules: "1".into(), findings: 0, waived: 2 },
            agent: None,
            helper: Some("18.4.0".into()),
            started: time,
            finished: time,
        };
        let image = AttestedImage {
            repository: "r.example/ci".into(),
            digest: sha256_of(b"image"),
            architecture: "x86_64".into(),
        };
        let text = String::from_utf8(built.statement(&image)).unwrap();
        assert!(!text.contains("canary"), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        let hex = sha256_of(b"image").as_str().replace("sha256:", "");
        assert_eq!(read["subject"][0]["digest"]["sha256"], hex);
        let definition = &read["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["argumentNames"], json!(["BASE", "TOKEN"]));
        let used = definition["resolvedDependencies"].as_array().unwrap();
        assert_eq!(used.len(), 3);
        assert_eq!(used[0]["digest"]["gitCommit"], "0f".repeat(20));
        assert_eq!(used[1]["uri"], "docker://debian:12");
        assert_eq!(
            read["predicate"]["runDetails"]["metadata"]["startedOn"],
            "2026-11-01T08:00:00Z"
        );
    }
}
