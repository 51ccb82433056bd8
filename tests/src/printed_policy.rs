//! Gives the principals of a local cloud exactly the policies that `iam-policy` prints for the configuration files
//! with which the product is started: the user has that of the manager, the roles have those of their holders.
//!
//! It knows neither jobs nor commands. Who acts as somebody else than the manager asks for other credentials.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Weak;

use fargate_access_policy::{
    IamPolicy, PolicyFlags, PolicyHolder, PolicyPlace, PolicyScope, needed_calls,
};
use fargate_config::{DefinitionSource, JobProfile, RunnerConfig, UnknownKeyPolicy};
use fargate_local_cloud::LocalCloud;
use serde_json::Value;

use crate::administrator::LONG_LIFE;

/// The account of the local cloud.
const ACCOUNT: &str = "123456789012";
/// The Region of a configuration that names none.
const REGION: &str = "eu-west-1";
/// The largest configuration that any test has and that the product reads, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;
/// The name of the policies that are given.
const POLICY_NAME: &str = "printed";
/// A policy of IAM must allow something, so "nothing" is what everybody may do anyway.
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetCallerIdentity","Resource":"*"}}"#;

/// What an operator has read of one configuration file.
#[derive(Default)]
struct ReadConfiguration {
    text: String,
    /// The families of the task definitions that it names and that somebody else made.
    families: BTreeSet<String>,
    /// What the account had of these families.
    definitions: Vec<Value>,
    places: Vec<PolicyPlace>,
    roles: Vec<(String, PolicyHolder)>,
}

/// The policies of one cloud.
pub struct PrintedPolicies {
    cloud: Weak<LocalCloud>,
    /// The file of a process that names none.
    usual: PathBuf,
    files: RefCell<BTreeMap<PathBuf, ReadConfiguration>>,
    /// The holders whose policies the user has.
    of_user: RefCell<BTreeSet<PolicyHolder>>,
    /// The holders that have credentials of their own.
    actors: RefCell<BTreeSet<PolicyHolder>>,
    /// Why no policy is given.
    exemption: RefCell<Option<&'static str>>,
    /// Why calls may be refused.
    expectation: RefCell<Option<&'static str>>,
}

impl PrintedPolicies {
    pub(crate) fn new(cloud: Weak<LocalCloud>, usual: PathBuf) -> Self {
        Self {
            cloud,
            usual,
            files: RefCell::default(),
            // What assumes a role is the same host as what assumes none.
            of_user: RefCell::new(BTreeSet::from([PolicyHolder::Manager, PolicyHolder::Host])),
            actors: RefCell::default(),
            exemption: RefCell::default(),
            expectation: RefCell::default(),
        }
    }

    /// From now on the user may do everything.
    pub(crate) fn exempt(&self, reason: &'static str) {
        self.exemption.replace(Some(reason));
        if let Some(cloud) = self.cloud.upgrade() {
            cloud.set_user_policy(None).expect("no policy");
        }
    }

    /// Refusals are what the test is about.
    pub(crate) fn expect_refusals(&self, reason: &'static str) {
        self.expectation.replace(Some(reason));
    }

    /// From now on the user has this holder's policy, too.
    pub(crate) fn add_holder(&self, holder: PolicyHolder) {
        self.of_user.borrow_mut().insert(holder);
        self.give_again();
    }

    /// Credentials of a role with this holder's policy, for this configuration file.
    pub(crate) fn credentials_of(
        &self,
        holder: PolicyHolder,
        config: &Path,
    ) -> Vec<(OsString, OsString)> {
        self.actors.borrow_mut().insert(holder);
        self.follow_file(config);
        self.give_again();
        let cloud = self.cloud.upgrade().expect("the cloud still runs");
        let keys = cloud.issue_role_credentials(&role_of(holder), LONG_LIFE);
        [
            ("AWS_ACCESS_KEY_ID", keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
            ("AWS_SESSION_TOKEN", keys.session_token),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    /// Before a process with these arguments starts: everybody has the policies that the files, as they are now,
    /// need together. A file that cannot be used changes nothing.
    pub(crate) fn follow(&self, arguments: &[OsString]) {
        match configuration_in(arguments) {
            Some(file) => self.follow_file(&file),
            None => self.follow_file(&self.usual),
        }
    }

    fn follow_file(&self, file: &Path) {
        let Some(cloud) = self.cloud.upgrade() else { return };
        if self.exemption.borrow().is_none() && self.read(&cloud, file) {
            self.give(&cloud);
        }
    }

    /// Gives what the files need to whoever has come since they were read.
    fn give_again(&self) {
        let has_files = self.exemption.borrow().is_none() && !self.files.borrow().is_empty();
        if let Some(cloud) = self.cloud.upgrade().filter(|_| has_files) {
            self.give(&cloud);
        }
    }

    /// Whether the file, or what it names, is another than before.
    fn read(&self, cloud: &LocalCloud, file: &Path) -> bool {
        // Tests give devices, pipes and huge files as configurations, too.
        if !fs::metadata(file).is_ok_and(|about| about.is_file() && about.len() <= LARGEST_FILE) {
            return false;
        }
        let Ok(text) = fs::read_to_string(file) else { return false };
        let mut files = self.files.borrow_mut();
        let known = files.entry(file.to_owned()).or_default();
        if known.text == text && known.definitions == described(cloud, &known.families) {
            return false;
        }
        let Ok(loaded) = fargate_config::load(file, UnknownKeyPolicy::Warn) else { return false };
        let Some(read) = ReadConfiguration::of(cloud, text, &loaded.config) else { return false };
        *known = read;
        true
    }

    fn give(&self, cloud: &LocalCloud) {
        let files = self.files.borrow();
        let places: Vec<_> = files.values().flat_map(|file| file.places.clone()).collect();
        let of_user: Vec<_> = self.of_user.borrow().iter().copied().collect();
        let user = policy(&places, &of_user);
        cloud.set_user_policy(Some(&user)).expect("a policy that can be evaluated");
        let actors = self.actors.borrow();
        let actors = actors.iter().map(|&holder| (role_of(holder), holder));
        let roles = files.values().flat_map(|file| file.roles.clone()).chain(actors);
        for (role, holder) in roles {
            let text = policy(&places, &[holder]);
            cloud.put_role_policy(&role, POLICY_NAME, &text).expect("it can be evaluated");
        }
    }

    /// The policies were enough: nobody was refused anything.
    ///
    /// # Panics
    ///
    /// If somebody was, and the test gave no reason for it; or if nobody was, though the test gave one.
    pub(crate) fn assert_enough(&self) {
        let Some(cloud) = self.cloud.upgrade().filter(|_| self.exemption.borrow().is_none()) else {
            return;
        };
        let refusals = cloud.policy_refusals();
        match *self.expectation.borrow() {
            Some(reason) => assert!(!refusals.is_empty(), "nothing was refused, though {reason}"),
            None => assert!(
                refusals.is_empty(),
                "the printed policies lack rights:\n{}",
                refusals.join("\n")
            ),
        }
    }
}

impl ReadConfiguration {
    /// What the policies of a configuration need; `None` where `iam-policy` prints none.
    fn of(cloud: &LocalCloud, text: String, config: &RunnerConfig) -> Option<Self> {
        let names = config.profile_names().into_iter().map(Some).chain([None]);
        let profiles: Vec<_> = names.filter_map(|name| config.profile(name).ok()).collect();
        let families = families(&profiles);
        let definitions = described(cloud, &families);
        let flags = PolicyFlags {
            account: Some(ACCOUNT.to_owned()),
            region: Some(REGION.to_owned()),
            passed_roles: texts_at(&definitions, &["/taskRoleArn", "/executionRoleArn"]),
            log_groups: log_groups(&definitions),
        };
        let scope = PolicyScope::new(config, None, &flags).ok()?;
        let roles = profiles.iter().flat_map(roles_of).collect();
        Some(Self { text, families, definitions, places: scope.places, roles })
    }
}

/// The file that `-c` or `--config` names, also in `sh -c SCRIPT sh fargate-runner -c FILE`.
fn configuration_in(arguments: &[OsString]) -> Option<PathBuf> {
    let flags = ["-c", "--config", "-config"];
    let pairs = arguments.windows(2).filter(|pair| flags.iter().any(|flag| pair[0] == *flag));
    let mut files = pairs.map(|pair| PathBuf::from(&pair[1]));
    files.find(|file| file.extension() == Some(OsStr::new("toml")))
}

/// The policy that allows what these holders do in these places.
fn policy(places: &[PolicyPlace], holders: &[PolicyHolder]) -> String {
    let calls: Vec<_> = holders.iter().flat_map(|&holder| needed_calls(places, holder)).collect();
    let policy = IamPolicy::allowing(&calls);
    match policy.is_empty() {
        true => NOTHING.to_owned(),
        false => policy.to_json().to_string(),
    }
}

/// The role that acts as this holder.
fn role_of(holder: PolicyHolder) -> String {
    format!("acting-{holder:?}").to_lowercase()
}

/// The roles that a profile names.
fn roles_of(profile: &JobProfile) -> Vec<(String, PolicyHolder)> {
    let all = [
        (&profile.assume_role_arn, PolicyHolder::Manager),
        (&profile.execution_role, PolicyHolder::Execution),
        (&profile.task_role, PolicyHolder::Task),
    ];
    let named = all.into_iter().filter_map(|(role, holder)| Some((role.as_ref()?, holder)));
    let name = |role: &str| role.rsplit('/').next().unwrap_or(role).to_owned();
    named.map(|(role, holder)| (name(role), holder)).collect()
}

/// The families of the task definitions that profiles name and that somebody else made.
fn families(profiles: &[JobProfile]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for profile in profiles {
        if let DefinitionSource::Fixed(name) = profile.definition() {
            names.insert(name.to_owned());
        }
        names.extend(profile.job_task_definitions.iter().cloned());
    }
    let family = |name: &String| {
        let name = name.rsplit('/').next().unwrap_or(name);
        name.split(':').next().unwrap_or(name).to_owned()
    };
    names.iter().map(family).collect()
}

fn described(cloud: &LocalCloud, families: &BTreeSet<String>) -> Vec<Value> {
    families.iter().flat_map(|family| cloud.task_definitions(family)).collect()
}

fn texts_at(values: &[Value], pointers: &[&str]) -> Vec<String> {
    let all = values.iter().flat_map(|value| pointers.iter().map(|at| value.pointer(at)));
    let texts: BTreeSet<_> = all.flatten().filter_map(Value::as_str).collect();
    texts.into_iter().map(str::to_owned).collect()
}

fn log_groups(definitions: &[Value]) -> Vec<String> {
    let containers = definitions.iter().filter_map(|one| one["containerDefinitions"].as_array());
    let containers: Vec<_> = containers.flatten().cloned().collect();
    texts_at(&containers, &["/logConfiguration/options/awslogs-group"])
}
