//! The words of a changed manifest: the branch, the title and the description of its merge request.
//!
//! Source: `git check-ref-format` for names of branches.

use std::fmt::Write;

use fargate_image_manifest::{ImageDigest, RecordedVersion};
use fargate_model::text::bytes;

/// A change of the manifest that is offered for review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestChange {
    /// The branch. The same change has the same branch, so it is offered once.
    pub branch: String,
    /// One line; the message of the commit as well.
    pub title: String,
    /// Markdown.
    pub description: String,
}

impl ManifestChange {
    /// A version that is new in the manifest.
    #[must_use]
    pub fn published(image: &str, repository: &str, version: &RecordedVersion) -> Self {
        let title = format!("Publish {} of {image}", version.tag);
        let mut description = facts(repository, version);
        let _ = write!(
            description,
            "\nMerging makes it a candidate. No job uses it before it is promoted:\n\n\
             ```sh\nfargate-runner image promote {image} {} --to stable\n```\n",
            version.tag
        );
        Self { branch: branch("publish", image, &version.digest), title, description }
    }

    /// A channel that gets another version.
    #[must_use]
    pub fn promoted(
        image: &str,
        repository: &str,
        channel: &str,
        version: &RecordedVersion,
        former: Option<&ImageDigest>,
    ) -> Self {
        let title = format!("Promote {} of {image} to {channel}", version.tag);
        let mut description = facts(repository, version);
        if let Some(former) = former {
            let _ = writeln!(description, "- before: `{former}`");
        }
        let _ = write!(
            description,
            "\nAfter the merge: `fargate-runner image reconcile {image} --apply`. The way back is to revert \
             this merge and to reconcile again.\n"
        );
        Self {
            branch: branch(&format!("promote-{channel}"), image, &version.digest),
            title,
            description,
        }
    }
}

fn branch(verb: &str, image: &str, digest: &ImageDigest) -> String {
    format!("image/{image}/{verb}-{}", digest.short())
}

fn facts(repository: &str, version: &RecordedVersion) -> String {
    let mut text = format!("- image: `{repository}@{}`\n", version.digest);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "- {name}: {value}");
        }
    };
    fact("commit", version.git.as_ref().map(|commit| format!("`{commit}`")));
    let base = version.base.as_ref().map(|base| match &base.digest {
        Some(digest) => format!("`{}` (`{digest}`)", base.reference),
        None => format!("`{}`", base.reference),
    });
    fact("base", base);
    let size = (version.size_bytes > 0).then(|| bytes(version.size_bytes));
    fact("size", size.map(|size| format!("{size} in {} layers", version.layers)));
    fact(
        "secret scan",
        version.scan.as_ref().map(|scan| {
            format!("{} findings, {} waived (rules {})", scan.findings, scan.waived, scan.rules)
        }),
    );
    fact(
        "test job",
        version.smoke.as_ref().map(|smoke| {
            let how = if smoke.ok { "passed" } else { "failed" };
            format!("{how}, first answer after {} ms", smoke.banner_ms)
        }),
    );
    text
}

#[cfg(test)]
mod tests {
    use fargate_image_manifest::ManifestTime;

    use super::*;

    #[test]
    fn a_change_names_what_a_reviewer_must_know_and_has_one_branch() {
        let digest: ImageDigest = format!("sha256:{}", "0a".repeat(32)).parse().unwrap();
        let time = ManifestTime::try_from("2026-11-29T12:00:00Z".to_owned()).unwrap();
        let mut version = RecordedVersion::candidate(digest.clone(), "ci-c1", time);
        version.git = Some("0f".repeat(20));
        version.size_bytes = 5 * 1024 * 1024;
        version.layers = 2;
        let change = ManifestChange::published("ci", "r.example/ci", &version);
        assert_eq!(change.branch, "image/ci/publish-0a0a0a0a0a0a");
        assert_eq!(change.title, "Publish ci-c1 of ci");
        let image = format!("- image: `r.example/ci@{digest}`");
        for line in [image.as_str(), "in 2 layers", "image promote ci ci-c1 --to stable"] {
            assert!(change.description.contains(line), "{}", change.description);
        }
        let promoted = ManifestChange::promoted("ci", "r.example/ci", "stable", &version, None);
        assert_eq!(promoted.branch, "image/ci/promote-stable-0a0a0a0a0a0a");
        assert!(promoted.description.contains("image reconcile ci --apply"));
    }
}
