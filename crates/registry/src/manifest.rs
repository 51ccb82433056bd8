//! What a manifest says: for which processors an image is made, or which configuration says it.
//!
//! Source: OCI image format specification, "Image Manifest" and "Image Index"; Docker, "Image Manifest
//! Version 2, Schema 2".

use fargate_config::TaskArchitecture;
use fargate_model::text::escape_within;
use serde::Deserialize;

use crate::image_reference::is_digest;

/// Longest name of a platform that is shown, in characters.
const LONGEST_NAME: usize = 60;

/// The kinds of manifests that are asked for.
pub const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What a manifest is about.
#[derive(Debug, PartialEq, Eq)]
pub enum ManifestContent {
    /// Several images, each for one platform.
    Index(Vec<ImagePlatform>),
    /// One image. The blob with this digest says for which platform.
    Image {
        /// The digest of the configuration.
        config: String,
    },
}

/// For what an image is made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImagePlatform {
    /// The operating system, for example `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor as Go names it, for example `amd64`.
    #[serde(default)]
    pub architecture: String,
}

#[derive(Deserialize)]
struct RawManifest {
    manifests: Option<Vec<RawIndexEntry>>,
    config: Option<RawDescriptor>,
}

#[derive(Deserialize)]
struct RawIndexEntry {
    platform: Option<ImagePlatform>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    digest: String,
}

impl ManifestContent {
    /// Reads a manifest, or says in words what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawManifest = serde_json::from_slice(bytes)
            .map_err(|_| "the manifest is not as documented".to_owned())?;
        match (raw.manifests, raw.config) {
            // Builders add entries for attestations, whose platform is `unknown`.
            (Some(entries), _) => Ok(Self::Index(
                entries
                    .into_iter()
                    .filter_map(|entry| entry.platform)
                    .filter(|platform| platform.architecture != "unknown")
                    .collect(),
            )),
            // The digest becomes part of a path.
            (None, Some(config)) if !is_digest(&config.digest) => {
                Err("the manifest names the image's configuration by no SHA-256 digest".to_owned())
            }
            (None, Some(config)) => Ok(Self::Image { config: config.digest }),
            (None, None) => Err("the manifest names no image; its form may be too old".to_owned()),
        }
    }
}

impl ImagePlatform {
    /// Reads the platform from the configuration of an image.
    pub fn of_config(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|_| "the image's configuration is not as documented".to_owned())
    }

    /// Whether a Fargate task with Linux on this processor can run it.
    pub fn fits(&self, wanted: TaskArchitecture) -> bool {
        let name = match wanted {
            TaskArchitecture::X86_64 => "amd64",
            TaskArchitecture::Arm64 => "arm64",
        };
        // An image without these members was made before there was a choice.
        (self.os.is_empty() || self.os == "linux")
            && (self.architecture.is_empty() || self.architecture == name)
    }

    /// Its name for people, as the configuration writes it where it can. It is escaped and cut, because
    /// whoever made the image chose it.
    pub fn shown(&self) -> String {
        let architecture = match self.architecture.as_str() {
            "amd64" => "x86_64",
            other => other,
        };
        let name = match self.os.as_str() {
            "" | "linux" => architecture.to_owned(),
            os => format!("{os} {architecture}"),
        };
        escape_within(&name, LONGEST_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lists_platforms_without_attestations() {
        let text = r#"{"schemaVersion":2,"manifests":[
            {"digest":"sha256:1","platform":{"os":"linux","architecture":"amd64"}},
            {"digest":"sha256:2","platform":{"os":"unknown","architecture":"unknown"}},
            {"digest":"sha256:3"},
            {"digest":"sha256:4","platform":{"os":"linux","architecture":"arm64","variant":"v8"}}]}"#;
        let Ok(ManifestContent::Index(platforms)) = ManifestContent::parse(text.as_bytes()) else {
            panic!("no index")
        };
        let shown: Vec<_> = platforms.iter().map(ImagePlatform::shown).collect();
        assert_eq!(shown, ["x86_64", "arm64"]);
        assert!(platforms[0].fits(TaskArchitecture::X86_64));
        assert!(!platforms[1].fits(TaskArchitecture::X86_64));
    }

    #[test]
    fn an_odd_manifest_is_an_error_without_its_text() {
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":1,"fsLayers":["canary"]}"#,
            r#"{"config":7}"#,
            r#"{"config":{"digest":"../../canary"}}"#,
        ] {
            let said = ManifestContent::parse(odd.as_bytes()).unwrap_err();
            assert!(said.starts_with("the manifest") && !said.contains("canary"), "{said}");
        }
        let windows = ImagePlatform { os: "windows".into(), architecture: "amd64".into() };
        assert!(!windows.fits(TaskArchitecture::X86_64));
        assert_eq!(windows.shown(), "windows x86_64");
        let hostile = ImagePlatform { os: "\u{1b}[2J".into(), architecture: "x".repeat(100_000) };
        let shown = hostile.shown();
        assert!(shown.len() < 200 && !shown.contains('\u{1b}'), "{shown}");
    }
}
