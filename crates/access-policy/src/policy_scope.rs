//! For what a policy is made: the clusters that a configuration names, each in its account and Region.

use fargate_config::{ConfigError, DefinitionSource, JobProfile, ManagedImage, RunnerConfig};

use crate::place_arn::{ArnPlace, account_of};
use crate::policy_place::PolicyPlace;

/// What a configuration does not say.
#[derive(Clone, Debug, Default)]
pub struct PolicyFlags {
    /// The account, for profiles that name none in an ARN.
    pub account: Option<String>,
    /// The Region, for profiles without `region`.
    pub region: Option<String>,
    /// Roles that fixed task definitions name: names or ARNs.
    pub passed_roles: Vec<String>,
    /// Log groups that fixed task definitions name.
    pub log_groups: Vec<String>,
}

/// The clusters, and what should be said of them.
#[derive(Clone, Debug)]
pub struct PolicyScope {
    /// The clusters, each once.
    pub places: Vec<PolicyPlace>,
    /// What the policy leaves out because the configuration does not say it; for people, one sentence each.
    pub notices: Vec<String>,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyScopeError {
    /// A profile that is asked for does not exist or is not whole.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration has no account.
    #[error(
        "{} names no account in an ARN; give it: `--account 123456789012`", shown(profile.as_deref())
    )]
    NoAccount {
        /// The profile's name.
        profile: Option<String>,
    },
    /// The account is no account.
    #[error("`--account {given}`: an account has 12 digits")]
    Account {
        /// What was given.
        given: String,
    },
    /// The configuration has no Region.
    #[error("{} has no `region`; add it, or set AWS_REGION", shown(profile.as_deref()))]
    NoRegion {
        /// The profile's name.
        profile: Option<String>,
    },
}

impl PolicyScope {
    /// For one profile, or for all of them and for `[defaults]` where that is whole.
    ///
    /// # Errors
    ///
    /// [`PolicyScopeError`], if a profile is missing, or an account or a Region.
    pub fn new(
        config: &RunnerConfig,
        profile: Option<&str>,
        flags: &PolicyFlags,
    ) -> Result<Self, PolicyScopeError> {
        if let Some(given) = &flags.account
            && !(given.len() == 12 && given.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(PolicyScopeError::Account { given: given.clone() });
        }
        let images: Vec<ManagedImage> = config.managed_images().collect();
        let mut scope = Self { places: Vec::new(), notices: Vec::new() };
        for profile in profiles(config, profile)? {
            let place = scope.place(&profile, flags)?;
            place.add_profile(&profile, &images);
            images.iter().for_each(|image| place.add_managed_image(image));
            config.notify.sns_topic.iter().for_each(|topic| place.add_topic(topic));
            if let DefinitionSource::Fixed(name) = profile.definition() {
                flags.passed_roles.iter().for_each(|role| place.pass_role(role));
                flags.log_groups.iter().for_each(|group| place.add_log_group(group));
                scope.notices.extend(notices(name, flags));
            }
        }
        scope.notices.dedup();
        Ok(scope)
    }

    /// The place of a profile, which is added where it is not there.
    fn place(
        &mut self,
        profile: &JobProfile,
        flags: &PolicyFlags,
    ) -> Result<&mut PolicyPlace, PolicyScopeError> {
        let name = || profile.name.clone();
        let region = profile.region.as_ref().or(flags.region.as_ref());
        let region = region.ok_or_else(|| PolicyScopeError::NoRegion { profile: name() })?;
        let account = account(profile).or(flags.account.as_deref());
        let account = account.ok_or_else(|| PolicyScopeError::NoAccount { profile: name() })?;
        let new = PolicyPlace::new(ArnPlace::new(region, account), &profile.cluster);
        let same = |one: &PolicyPlace| (&one.arns, &one.cluster) == (&new.arns, &new.cluster);
        let at = match self.places.iter().position(same) {
            Some(at) => at,
            None => {
                self.places.push(new);
                self.places.len() - 1
            }
        };
        Ok(&mut self.places[at])
    }
}

/// The account in which the calls of a profile are made: that of the role that it assumes, else that of another
/// ARN that it names.
fn account(profile: &JobProfile) -> Option<&str> {
    let arns = [
        profile.assume_role_arn.as_deref(),
        Some(profile.cluster.as_str()),
        profile.task_definition.as_deref(),
        profile.execution_role.as_deref(),
        profile.task_role.as_deref(),
    ];
    arns.into_iter().flatten().find_map(account_of)
}

fn profiles(
    config: &RunnerConfig,
    only: Option<&str>,
) -> Result<Vec<JobProfile>, PolicyScopeError> {
    if only.is_some() {
        return Ok(vec![config.profile(only)?]);
    }
    let names = config.profile_names();
    let mut profiles = Vec::new();
    match config.profile(None) {
        Ok(defaults) => profiles.push(defaults),
        // Jobs always run under a profile then.
        Err(_) if !names.is_empty() => {}
        Err(error) => return Err(error.into()),
    }
    for name in names {
        profiles.push(config.profile(Some(name))?);
    }
    Ok(profiles)
}

/// What cannot be known of a task definition that somebody else made.
fn notices(definition: &str, flags: &PolicyFlags) -> Vec<String> {
    let mut notices = Vec::new();
    if flags.passed_roles.is_empty() {
        notices.push(format!(
            "if the task definition {definition} names roles, RunTask needs iam:PassRole for them; give each: \
             `--pass-role ROLE`"
        ));
    }
    if flags.log_groups.is_empty() {
        notices.push(format!(
            "if the task definition {definition} writes to a log group, `jobs logs` needs logs:GetLogEvents for \
             it; give it: `--log-group GROUP`"
        ));
    }
    notices
}

fn shown(profile: Option<&str>) -> String {
    profile.map_or("`[defaults]`".to_owned(), |name| format!("`[profile.{name}]`"))
}
