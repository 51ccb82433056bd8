//! The manifest change of one publication: which file of the project it is, and what is offered for review.
//!
//! Where the manifest is not a file of the project, nothing can be offered, and that is told before slow work.

use std::path::{Path, PathBuf};

use fargate_aws::AwsAccount;
use fargate_config::{JobProfile, ManagedImage};
use serde::Serialize;

use super::gitlab_project::{GitLabProject, MergeRequestState};
use super::manifest_change::ManifestChange;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::publish::PublishReport;

/// Most bytes of a manifest that is offered: far more than one with a thousand versions has.
const LONGEST_MANIFEST: u64 = 16 * 1024 * 1024;

/// Where changes of a manifest are offered: a project of GitLab that has it as a file.
pub struct MergeRequestTarget {
    project: GitLabProject,
    /// The manifest, from the root of the project.
    path: String,
}

/// What is offered for review, as a program reads it.
#[derive(Clone, Debug, Serialize)]
pub struct OfferedChange {
    /// The branch.
    pub branch: String,
    /// One line; the message of the commit as well.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// The manifest, which holds the change.
    pub manifest: PathBuf,
}

impl OfferedChange {
    /// The change that a publication made; none if the manifest is as it was.
    #[must_use]
    pub fn of_published(image: &ManagedImage, report: &PublishReport) -> Option<Self> {
        let words = || ManifestChange::published(&image.name, &image.repository, &report.version);
        report.published.then(words).map(|change| Self {
            branch: change.branch,
            title: change.title,
            description: change.description,
            manifest: report.manifest.clone(),
        })
    }

    /// Writes it to a file, as JSON.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), ImageFailure> {
        let mut text = serde_json::to_vec_pretty(self).expect("texts are JSON");
        text.push(b'\n');
        std::fs::write(file, text).map_err(|error| {
            let what = format!("writing the change of the manifest to {}: {error}", file.display());
            ImageFailure::Unusable { what, hint: "choose a file that can be written".to_owned() }
        })
    }
}

impl MergeRequestTarget {
    /// The project of the running pipeline, by the variables that GitLab sets; `variable` reads them.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if a variable is missing or wrong, or if the manifest is not in the project.
    pub fn of_pipeline(
        image: &ManagedImage,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ImageFailure> {
        let root = variable("CI_PROJECT_DIR").filter(|root| !root.is_empty()).map(PathBuf::from);
        let path = root.as_deref().and_then(|root| path_below(root, &image.manifest));
        let Some(path) = path else {
            let root = root.map_or("not set".to_owned(), |root| root.display().to_string());
            return Err(ImageFailure::Unusable {
                what: format!(
                    "offering the manifest for review: {} is not in the folder of the project \
                     (CI_PROJECT_DIR is {root})",
                    image.manifest.display()
                ),
                hint: format!("let `image.{}.manifest` name a file of the project", image.name),
            });
        };
        Ok(Self { project: GitLabProject::of_pipeline(variable)?, path })
    }

    /// Commits the manifest as it is now to the branch of `change`, and opens a merge request.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the manifest cannot be read, or GitLab is not reached or refuses it.
    pub async fn open(
        &self,
        change: &OfferedChange,
        profile: &JobProfile,
        run: &ImageRun,
    ) -> Result<MergeRequestState, ImageFailure> {
        let content = fargate_files::read_at_most(&change.manifest, LONGEST_MANIFEST);
        let content = content.map_err(|error| error.to_string());
        let content = content
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is no text".to_owned()))
            .map_err(|error| unusable(format!("reading {}: {error}", change.manifest.display())))?;
        let account = AwsAccount::open(profile.region.clone(), profile, &run.masker).await;
        let account = account.map_err(|why| unusable(why.headline()))?;
        let words = ManifestChange {
            branch: change.branch.clone(),
            title: change.title.clone(),
            description: change.description.clone(),
        };
        self.project.offer(&account, &words, &self.path, &content).await
    }
}

/// The manifest as the project names it. Links are followed, as the folder of a runner may be one.
fn path_below(root: &Path, manifest: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    // A first publication makes the file.
    let folder = manifest.parent()?.canonicalize().ok()?;
    let path = folder.join(manifest.file_name()?);
    Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned())
}

fn unusable(what: String) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("offering the manifest for review: {what}"),
        hint: "correct that; the image is published, and the manifest here lists it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_named_from_the_root_of_the_project_and_never_from_outside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir_all(root.join("images")).unwrap();
        std::os::unix::fs::symlink(&root, folder.path().join("link")).unwrap();
        let path = |manifest: &str| path_below(&root, &folder.path().join(manifest));
        assert_eq!(path("project/images/images.json").as_deref(), Some("images/images.json"));
        assert_eq!(path("link/images.json").as_deref(), Some("images.json"));
        assert_eq!(path("images.json"), None);
        assert_eq!(path("project/../images.json"), None);
    }
}
