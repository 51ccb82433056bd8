//! Which profile a job gets: one rule over the flag, what the forge says of the job, and the job's image.
//!
//! 1. The profile that `--profile` names. Its binding, `projects` and `refs`, is enforced.
//! 2. Else the profiles that have `projects` and are for the job. The first of the file is the job's. If
//!    `[images]` leads the job's image to another one of them, it is that one.
//! 3. Only where there are none: the profile without `projects` to which `[images]` leads.
//! 4. Else `[defaults]`, whose binding is enforced.
//!
//! So whoever writes a pipeline cannot leave the profiles that a project is bound to. The facts come from
//! the caller, which knows whom to believe.

use std::fmt;

use fargate_model::text::escape_within;

use crate::config::RunnerConfig;
use crate::keyword::RefBinding;
use crate::layer::SettingsLayer;
use crate::patterns::project_matches;
use crate::problem::ConfigError;
use crate::settings::JobProfile;
use crate::value::LocatedValue;

/// Longest part of a foreign text that is shown, in characters.
const SHOWN: usize = 120;

/// What the forge itself says of a job. Nothing of it may come from variables of the job; only the image
/// is what the pipeline says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedFacts {
    /// The path of the project, such as `group/project`; `None` if nobody trusted says it.
    pub project: Option<String>,
    /// Whether the job runs for a protected branch or tag.
    pub is_protected: bool,
    /// The image that the job asks for.
    pub image: Option<String>,
}

/// The profile of a job.
#[derive(Clone, Debug)]
pub struct ProfileChoice {
    /// The profile.
    pub profile: JobProfile,
    /// The profiles that the image leads to and that the job does not get.
    pub skipped: Vec<SkippedProfile>,
    /// Whether `[images]` leads the job's image to this profile.
    pub is_of_image: bool,
}

/// A profile that the image leads to and that the job does not get. As text it is a line for the job's
/// log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedProfile {
    /// The image, escaped and cut.
    pub image: String,
    /// The profile.
    pub profile: String,
    /// Why the job does not get it. `None` because another profile is bound to the job's project.
    pub refusal: Option<BindingRefusal>,
}

impl fmt::Display for SkippedProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, profile, refusal } = self;
        write!(f, "`[images]` leads image \"{image}\" to profile `{profile}`, which is skipped: ")?;
        match refusal {
            Some(refusal) => refusal.fmt(f),
            None => f.write_str("this job's project is bound to other profiles"),
        }
    }
}

/// Why a profile is not for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingRefusal {
    /// Its `projects` do not name this project, which is escaped and cut.
    Project(String),
    /// It is bound to projects, and nobody trusted says which project the job is of.
    UnknownProject,
    /// It is for protected refs alone.
    Ref,
}

impl fmt::Display for BindingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => {
                write!(f, "its `projects` do not name this job's project \"{project}\"")
            }
            Self::UnknownProject => f.write_str(
                "it has `projects`, and without a response file of gitlab-runner nobody knows this \
                 job's project for sure",
            ),
            Self::Ref => f.write_str(
                "it has `refs = \"protected\"`, and this job's branch or tag is not protected",
            ),
        }
    }
}

/// Why a job gets no profile.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProfileChoiceError {
    /// The file has no such profile, or `[defaults]` alone is no profile.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The profile that decides is not for this job.
    #[error("{} is not for this job: {refusal}", place(profile.as_deref()))]
    NotForJob {
        /// Its name; `None` for `[defaults]`.
        profile: Option<String>,
        /// The rule.
        refusal: BindingRefusal,
    },
}

fn place(profile: Option<&str>) -> String {
    profile.map_or_else(|| "`[defaults]`".to_owned(), |name| format!("profile `{name}`"))
}

/// The binding of one profile, put together.
struct ProfileBinding {
    projects: Vec<String>,
    refs: RefBinding,
}

impl ProfileBinding {
    fn of(layer: &SettingsLayer) -> Self {
        let projects: Option<LocatedValue<Vec<String>>> = layer.values.get("projects");
        let refs: Option<LocatedValue<RefBinding>> = layer.values.get("refs");
        Self {
            projects: projects.map(|given| given.value).unwrap_or_default(),
            refs: refs.map_or(RefBinding::Any, |given| given.value),
        }
    }

    /// Why it is not for this job, if it is not.
    fn refusal(&self, job: &TrustedFacts) -> Option<BindingRefusal> {
        if !self.projects.is_empty() {
            let Some(project) = &job.project else { return Some(BindingRefusal::UnknownProject) };
            if !self.projects.iter().any(|pattern| project_matches(pattern, project)) {
                return Some(BindingRefusal::Project(escape_within(project, SHOWN)));
            }
        }
        (self.refs == RefBinding::Protected && !job.is_protected).then_some(BindingRefusal::Ref)
    }

    fn is_of_projects(&self) -> bool {
        !self.projects.is_empty()
    }
}

impl RunnerConfig {
    /// The profile of a job, by the rule of this module. `named` is that of `--profile`.
    ///
    /// # Errors
    ///
    /// Returns [`ProfileChoiceError`] if the profile that decides is not for the job, if the file has no
    /// profile of that name, or if no profile is for the job and `[defaults]` alone is none.
    pub fn choose_profile(
        &self,
        named: Option<&str>,
        job: &TrustedFacts,
    ) -> Result<ProfileChoice, ProfileChoiceError> {
        let mut skipped = Vec::new();
        let name = match named {
            Some(name) => Some(name),
            None => self.unnamed_choice(job, &mut skipped),
        };
        let layer = self.document.merged(name.and_then(|name| self.document.profile(name)));
        let refusal = ProfileBinding::of(&layer).refusal(job);
        let profile = match (self.profile(name), refusal) {
            (Ok(profile), None) => profile,
            (Err(error), None) if name.is_some() || !self.has_bindings() => {
                return Err(error.into());
            }
            // No profile is bound to this job, and `[defaults]` is there for the others alone.
            (Err(error), None) => return Err(self.none_for(job).unwrap_or(error.into())),
            (_, Some(refusal)) => {
                let profile = name.map(str::to_owned);
                return Err(ProfileChoiceError::NotForJob { profile, refusal });
            }
        };
        let led = job.image.as_deref().map(|image| self.profiles_of_image(image));
        let is_of_image = led.is_some_and(|led| led.iter().any(|led| Some(*led) == name));
        Ok(ProfileChoice { profile, skipped, is_of_image })
    }

    /// The name of the profile that the job gets without a flag; `None` for `[defaults]`.
    fn unnamed_choice(
        &self,
        job: &TrustedFacts,
        skipped: &mut Vec<SkippedProfile>,
    ) -> Option<&str> {
        let bindings: Vec<(&str, ProfileBinding)> = self.bindings().collect();
        let bound: Vec<&str> = bindings
            .iter()
            .filter(|(_, binding)| binding.is_of_projects() && binding.refusal(job).is_none())
            .map(|(name, _)| *name)
            .collect();
        let image = job.image.as_deref().unwrap_or_default();
        for led in self.profiles_of_image(image) {
            let Some((name, binding)) = bindings.iter().find(|(name, _)| *name == led) else {
                continue;
            };
            let refusal = binding.refusal(job);
            if refusal.is_none() && (bound.is_empty() || bound.contains(name)) {
                return Some(name);
            }
            let (image, profile) = (escape_within(image, SHOWN), (*name).to_owned());
            let line = SkippedProfile { image, profile, refusal };
            if !skipped.contains(&line) {
                skipped.push(line);
            }
        }
        bound.first().copied()
    }

    fn bindings(&self) -> impl Iterator<Item = (&str, ProfileBinding)> {
        self.document.profiles.iter().map(|(name, layer)| {
            (name.as_str(), ProfileBinding::of(&self.document.merged(Some(layer))))
        })
    }

    fn has_bindings(&self) -> bool {
        self.bindings().any(|(_, binding)| binding.is_of_projects())
    }

    /// Why none of the bound profiles is for the job: what the first of them says.
    fn none_for(&self, job: &TrustedFacts) -> Option<ProfileChoiceError> {
        let refusals = self.bindings().filter(|(_, binding)| binding.is_of_projects());
        // A profile for this project that is for protected refs alone says more than all others.
        let mut refusals: Vec<_> =
            refusals.filter_map(|(name, binding)| Some((name, binding.refusal(job)?))).collect();
        refusals.sort_by_key(|(_, refusal)| *refusal != BindingRefusal::Ref);
        let (name, refusal) = refusals.into_iter().next()?;
        Some(ProfileChoiceError::NotForJob { profile: Some(name.to_owned()), refusal })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{UnknownKeyPolicy, parse};

    const PROFILES: &str = r#"
        [profile.deploy]
        projects = ["shop/app"]
        refs = "protected"
        [profile.shop]
        projects = ["shop/**"]
        [profile.shop-node]
        projects = ["shop/*"]
        [profile.sandbox]
        projects = ["forks/**"]
        [profile.open]
        [profile.guarded]
        refs = "protected"
        [images]
        "node:*" = "shop-node"
        "node:20*" = "deploy"
        "deno:*" = "open"
        "guard:*" = "guarded"
    "#;

    fn config(defaults: &str) -> RunnerConfig {
        let text = format!(
            "config_version = 1\n[defaults]\nsubnets = [\"subnet-1\"]\nsecurity_groups = [\"sg-1\"]\n\
             task_definition = \"ci\"\n{defaults}\n{PROFILES}"
        );
        parse(&text, Path::new("c"), UnknownKeyPolicy::Refuse).unwrap().config
    }

    fn whole() -> RunnerConfig {
        config("cluster = \"ci\"")
    }

    fn job(project: &str, is_protected: bool, image: &str) -> TrustedFacts {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        TrustedFacts { project: some(project), is_protected, image: some(image) }
    }

    /// The chosen profile and how many lines tell of skipped ones.
    fn chosen(config: &RunnerConfig, named: Option<&str>, job: &TrustedFacts) -> (String, usize) {
        match config.choose_profile(named, job) {
            Ok(choice) => {
                (choice.profile.name.unwrap_or_else(|| "-".to_owned()), choice.skipped.len())
            }
            Err(error) => (error.to_string(), 0),
        }
    }

    #[test]
    fn the_first_bound_profile_decides_and_the_image_chooses_among_bound_ones_alone() {
        let config = whole();
        let table = [
            // Project, protected, image, profile, lines.
            ("shop/app", true, "", "deploy", 0),
            ("SHOP/App", true, "", "deploy", 0),
            ("shop/app", false, "", "shop", 0),
            ("shop/other", true, "", "shop", 0),
            ("shop/app", false, "node:18", "shop-node", 0),
            ("shop/app", true, "node:18", "shop-node", 0),
            ("shop/app", true, "node:20", "deploy", 0),
            // The longest pattern leads to a profile that is not for it; the next one to one that is.
            ("shop/app", false, "node:20", "shop-node", 1),
            ("shop/deep/app", false, "node:18", "shop", 1),
            // Nobody leaves the profiles that the project is bound to.
            ("shop/app", true, "deno:2", "deploy", 1),
            ("forks/app", true, "deno:2", "sandbox", 1),
            ("forks/app", true, "node:20", "sandbox", 2),
            // A project that nothing is bound to.
            ("other/app", true, "", "-", 0),
            ("other/app", false, "deno:2", "open", 0),
            ("other/app", true, "guard:1", "guarded", 0),
            ("other/app", false, "guard:1", "-", 1),
            ("other/app", true, "node:20", "-", 2),
            // Variables are nobody to believe.
            ("", false, "", "-", 0),
            ("", false, "node:20", "-", 2),
            ("", false, "deno:2", "open", 0),
        ];
        for (project, is_protected, image, expected, lines) in table {
            let got = chosen(&config, None, &job(project, is_protected, image));
            let case = format!("{project} {is_protected} {image}");
            assert_eq!(got, (expected.to_owned(), lines), "{case}");
        }
    }

    #[test]
    fn a_named_profile_decides_before_the_image_and_its_binding_is_enforced() {
        let config = whole();
        let named = |name, project: &str, is_protected| {
            chosen(&config, Some(name), &job(project, is_protected, "node:20")).0
        };
        assert_eq!(named("open", "shop/app", false), "open");
        assert_eq!(named("deploy", "shop/app", true), "deploy");
        let refused = [
            named("deploy", "shop/app", false),
            named("deploy", "shop/ap\u{1b}p", true),
            named("sandbox", "", false),
            named("guarded", "other/app", false),
            named("gone", "other/app", false),
        ];
        insta::assert_snapshot!(refused.join("\n"), @r#"
        profile `deploy` is not for this job: it has `refs = "protected"`, and this job's branch or tag is not protected
        profile `deploy` is not for this job: its `projects` do not name this job's project "shop/ap\x1bp"
        profile `sandbox` is not for this job: it has `projects`, and without a response file of gitlab-runner nobody knows this job's project for sure
        profile `guarded` is not for this job: it has `refs = "protected"`, and this job's branch or tag is not protected
        c: profile "gone" is not here; the file has profiles: deploy, shop, shop-node, sandbox, open, guarded
        hint: leave out `--profile` for `[defaults]`, or add `[profile.NAME]`
        "#);
    }

    #[test]
    fn the_binding_of_defaults_is_enforced_and_inherited() {
        let inherited = config("cluster = \"ci\"\nprojects = [\"all/**\"]");
        assert_eq!(chosen(&inherited, None, &job("all/app", false, "")).0, "open");
        insta::assert_snapshot!(
            chosen(&inherited, None, &job("none/app", false, "deno:2")).0, @r#"`[defaults]` is not for this job: its `projects` do not name this job's project "none/app""#
        );
    }

    #[test]
    fn a_job_that_nothing_is_for_is_told_which_rule_says_so() {
        let text = "config_version = 1\n[profile.one]\ncluster = \"ci\"\nsubnets = [\"subnet-1\"]\n\
                    security_groups = [\"sg-1\"]\ntask_definition = \"ci\"\nprojects = [\"a/b\"]\n\
                    refs = \"protected\"";
        let config = parse(text, Path::new("c"), UnknownKeyPolicy::Refuse).unwrap().config;
        let said = [("a/b", false), ("a/c", true), ("", true)].map(|(project, is_protected)| {
            chosen(&config, None, &job(project, is_protected, "")).0
        });
        insta::assert_snapshot!(said.join("\n"), @r#"
        profile `one` is not for this job: it has `refs = "protected"`, and this job's branch or tag is not protected
        profile `one` is not for this job: its `projects` do not name this job's project "a/c"
        profile `one` is not for this job: it has `projects`, and without a response file of gitlab-runner nobody knows this job's project for sure
        "#);
    }

    #[test]
    fn a_skipped_profile_is_told_with_the_rule_and_no_control_character() {
        let image = format!("node:20\u{1b}[2J{}", "x".repeat(500));
        let mut lines: Vec<String> = Vec::new();
        for (project, image) in [("forks/app", "deno:2"), ("other/app", image.as_str())] {
            let choice = whole().choose_profile(None, &job(project, false, image)).unwrap();
            lines.extend(choice.skipped.iter().map(ToString::to_string));
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        `[images]` leads image "deno:2" to profile `open`, which is skipped: this job's project is bound to other profiles
        `[images]` leads image "node:20\x1b[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" to profile `deploy`, which is skipped: its `projects` do not name this job's project "other/app"
        `[images]` leads image "node:20\x1b[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" to profile `shop-node`, which is skipped: its `projects` do not name this job's project "other/app"
        "#);
    }
}
