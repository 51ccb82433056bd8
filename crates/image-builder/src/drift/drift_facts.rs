//! What was seen of one image: in its registries, in ECS and in the configuration. The judgements in this
//! folder read it, and ask nothing themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargate_image_manifest::{ImageDigest, ManifestTime, RecordedImage};

/// Everything that was seen of one image.
#[derive(Clone, Debug)]
pub(crate) struct DriftFacts {
    /// Its name.
    pub name: String,
    /// What the manifest says of it.
    pub recorded: RecordedImage,
    /// Digests that the manifests of the configuration name in any image, in any role.
    pub listed: BTreeSet<ImageDigest>,
    /// Names of channels in any of those images. Such a tag is never a reason to delete.
    pub channel_tags: BTreeSet<String>,
    /// Its repositories, the first one first.
    pub repositories: Vec<RepositoryFacts>,
    /// Who uses an image of these repositories.
    pub uses: Vec<ImageUse>,
    /// Bases that have another digest now.
    pub moved_bases: Vec<MovedBase>,
    /// What could not be asked, in words. Then nobody knows what is in use.
    pub unasked: Vec<String>,
    /// What could not be asked and decides nothing.
    pub notes: Vec<String>,
    /// What the configuration expects of the image.
    pub expected: ExpectedImage,
    /// The moment of the look.
    pub now: ManifestTime,
}

/// What the configuration expects of an image.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedImage {
    /// Age at which the image of `stable` is stale.
    pub stale_after: Duration,
    /// Age from which an unlisted image may go.
    pub grace: Duration,
    /// Whether what is promoted is signed.
    pub signed: bool,
    /// Whether every layer is to be zstd.
    pub zstd: bool,
    /// The version of this program, which the agent in the image is compared with.
    pub program: String,
}

/// One repository as its registry shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RepositoryFacts {
    /// Registry and repository.
    pub name: String,
    /// Most images that the registry keeps in it, if that is known.
    pub quota: Option<usize>,
    /// Which digest each tag has.
    pub tags: BTreeMap<String, ImageDigest>,
    /// The manifests that were found by tag or by a digest of the manifest.
    pub stored: BTreeMap<ImageDigest, StoredImage>,
}

/// What the manifest of a stored image says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredImage {
    /// Whether its manifest is of a form that is known. Else the rest says nothing.
    pub is_understood: bool,
    /// Its own bytes, those of its configuration and of its layers.
    pub size_bytes: u64,
    /// How its layers are compressed.
    pub compressions: BTreeSet<&'static str>,
    /// Whether it has Docker's media types, with which no engine reads zstd.
    pub is_docker: bool,
    /// The images of an index.
    pub children: BTreeSet<ImageDigest>,
    /// The image that it says something about.
    pub subject: Option<ImageDigest>,
}

/// Somebody uses an image of one of the repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageUse {
    /// Who, in words.
    pub user: String,
    /// The repository, by its place in [`DriftFacts::repositories`].
    pub repository: usize,
    /// The tag, if the text has one and no digest is known.
    pub tag: Option<String>,
    /// The digest, if it is known.
    pub digest: Option<ImageDigest>,
}

/// The base of a version has another digest now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MovedBase {
    /// The version that was built on it.
    pub version: ImageDigest,
    /// The text of the base.
    pub reference: String,
    /// The digest that it has now.
    pub now: String,
}

impl RepositoryFacts {
    /// The tags of a digest.
    pub fn tags_of<'a>(&'a self, digest: &'a ImageDigest) -> impl Iterator<Item = &'a str> + 'a {
        self.tags.iter().filter(move |(_, found)| *found == digest).map(|(tag, _)| tag.as_str())
    }
}

impl ImageUse {
    /// The digest that is used: the one that is known, else the one that the tag has now.
    pub fn digest<'a>(&'a self, facts: &'a DriftFacts) -> Option<&'a ImageDigest> {
        self.digest.as_ref().or_else(|| self.tagged(facts))
    }

    /// Both of them: a task that was started by a tag may be started again.
    pub fn digests<'a>(&'a self, facts: &'a DriftFacts) -> impl Iterator<Item = &'a ImageDigest> {
        self.digest.iter().chain(self.tagged(facts))
    }

    fn tagged<'a>(&self, facts: &'a DriftFacts) -> Option<&'a ImageDigest> {
        facts.repositories.get(self.repository)?.tags.get(self.tag.as_ref()?)
    }
}

/// Whether a tag holds what is said about an image: the fallback tag of its referrers, or a tag of cosign.
pub(crate) fn described_by(tag: &str) -> Option<ImageDigest> {
    let digits = tag.strip_prefix("sha256-")?;
    let digits = digits.split('.').next().unwrap_or(digits);
    format!("sha256:{digits}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_tag_and_the_tags_of_cosign_name_their_subject() {
        let digits = "ab".repeat(32);
        let subject: ImageDigest = format!("sha256:{digits}").parse().unwrap();
        for tag in [format!("sha256-{digits}"), format!("sha256-{digits}.sig")] {
            assert_eq!(described_by(&tag).as_ref(), Some(&subject), "{tag}");
        }
        assert_eq!(described_by("sha256-ab"), None);
        assert_eq!(described_by("stable"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_tag_panics(tag in "\\PC{0,40}") {
            let _ = described_by(&tag);
        }
    }
}
