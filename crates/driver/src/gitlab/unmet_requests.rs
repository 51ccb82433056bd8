//! What a job asks for and does not get: an image or services that its profile does not run, and sizes
//! outside its limits. It tells them; what becomes of the job is the profile's `on_unsupported`.
//!
//! The texts come from whoever wrote the pipeline, so they are shown escaped and cut.

use std::ffi::OsString;

use fargate_config::{
    ChoiceFlags, ConfigGrammar, DefinitionSource, IgnoredChoice, JobProfile, ProfileChoice,
    UnsupportedPolicy,
};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::escape_within;
use fargate_registry::ImageReference;

use super::response::JobResponse;

/// Longest part of an image's text that is shown, in characters.
const SHOWN: usize = 120;

/// What the job asked for and does not get.
#[derive(Clone, Debug)]
pub struct UnmetRequests {
    /// Lines for the job's log.
    pub warnings: Vec<String>,
    /// Why the job is refused, if its profile refuses such jobs.
    pub refusal: Option<CauseReport>,
}

/// Applies to the profile of a job what the job may choose of it. `variable` gives the value of a variable
/// of the job, and never one of this host.
pub fn apply_requests(
    choice: &mut ProfileChoice,
    grammar: ConfigGrammar,
    flags: ChoiceFlags,
    response: &JobResponse,
    variable: impl Fn(&str) -> Option<OsString>,
) -> UnmetRequests {
    let profile = &mut choice.profile;
    let ignored = profile.apply_job_choices(grammar, flags, variable);
    let (sizes, others): (Vec<_>, Vec<_>) =
        ignored.iter().partition(|choice: &&IgnoredChoice| choice.is_of_size());
    let skipped = choice.skipped.iter().map(ToString::to_string);
    let mut warnings: Vec<String> =
        skipped.chain(others.into_iter().map(ToString::to_string)).collect();
    let images = images_not_run(profile, response, choice.is_of_image);
    let is_met = images.is_empty() && sizes.is_empty();
    let refusal = (profile.on_unsupported == UnsupportedPolicy::Refuse && !is_met).then(|| {
        let sizes = sizes.iter().map(|choice| choice.refusal());
        refusal(profile, images.iter().cloned().chain(sizes))
    });
    // What a job is refused for is told with the refusal.
    if refusal.is_none() {
        warnings.extend(images);
        warnings.extend(sizes.into_iter().map(ToString::to_string));
    }
    UnmetRequests { warnings, refusal }
}

fn refusal(profile: &JobProfile, unmet: impl Iterator<Item = String>) -> CauseReport {
    let name = profile.name.as_deref().unwrap_or_default();
    let why = CauseReport::new(FailureCause::UnsupportedRequest).with("profile", name);
    unmet.fold(why, |why, line| why.because(format!("{line}.")))
}

/// A line for the image and for each service that the job asks for and its profile does not run.
fn images_not_run(profile: &JobProfile, response: &JobResponse, is_of_image: bool) -> Vec<String> {
    let image = response.facts.image.as_deref();
    let image = image.filter(|asked| !is_of_image && !is_run(profile, asked)).map(|asked| {
        let (asked, own) = (escape_within(asked, SHOWN), what_runs(profile));
        format!("Asked for the image \"{asked}\", this runner runs {own}")
    });
    let services = response.services.iter().map(|asked| {
        let (asked, own) = (escape_within(asked, SHOWN), what_runs(profile));
        format!("Asked for the service \"{asked}\", this runner runs none beside {own}")
    });
    image.into_iter().chain(services).collect()
}

/// Whether the profile runs this very image, in whichever of its texts.
fn is_run(profile: &JobProfile, asked: &str) -> bool {
    let DefinitionSource::Derived(own) = profile.definition() else { return false };
    let same = |own: &ImageReference, asked: &ImageReference| {
        (own.registry(), own.repository(), own.version())
            == (asked.registry(), asked.repository(), asked.version())
    };
    own == asked
        || matches!((own.parse(), asked.parse()), (Ok(own), Ok(asked)) if same(&own, &asked))
}

fn what_runs(profile: &JobProfile) -> String {
    match profile.definition() {
        DefinitionSource::Derived(image) => format!("\"{image}\""),
        DefinitionSource::Fixed(name) => format!("the task definition \"{name}\""),
    }
}
