//! Who there is in the account, and which policies each has.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::access::access_question::AccessQuestion;
use crate::access::identity_policy::{AccessDecision, IdentityPolicy, decide};
use crate::account::ACCOUNT;
use crate::wire::credentials::CallerPrincipal;

/// The trust policy of a role that nobody described: ECS may assume it for tasks of this account.
const TASK_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#;

/// How many refusals are kept. A test reads the first ones.
const KEPT_REFUSALS: usize = 1_000;

/// All principals of one cloud, and what their policies refused. It is empty at the start.
#[derive(Debug, Default)]
pub(crate) struct PrincipalStore {
    principals: Mutex<AccountPrincipals>,
    refusals: Mutex<Vec<String>>,
}

/// The principals under the lock.
#[derive(Debug, Default)]
pub(crate) struct AccountPrincipals {
    /// The policy of the account's one user.
    user: Option<StoredPolicy>,
    roles: BTreeMap<String, AccountRole>,
    /// The managed policies, by ARN.
    managed: BTreeMap<String, StoredPolicy>,
}

/// One role.
#[derive(Clone, Debug)]
pub(crate) struct AccountRole {
    /// Its trust policy.
    pub trust: String,
    /// Its own policies, by name.
    pub inline: BTreeMap<String, StoredPolicy>,
    /// The ARNs of its managed policies.
    pub attached: Vec<String>,
}

/// A policy, as it was given and as it is evaluated.
#[derive(Clone, Debug)]
pub(crate) struct StoredPolicy {
    pub text: String,
    read: IdentityPolicy,
}

impl StoredPolicy {
    fn of(text: &str) -> Result<Self, String> {
        let read = IdentityPolicy::read(text).map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), read })
    }
}

impl AccountRole {
    fn new(trust: &str) -> Self {
        Self { trust: trust.to_owned(), inline: BTreeMap::new(), attached: Vec::new() }
    }
}

impl PrincipalStore {
    /// Gives the account's user a policy in the place of another, or takes it away.
    pub fn set_user_policy(&self, text: Option<&str>) -> Result<(), String> {
        let policy = text.map(StoredPolicy::of).transpose()?;
        self.lock().user = policy;
        Ok(())
    }

    /// Adds a role with this trust policy, or changes that of one that exists.
    pub fn put_role(&self, name: &str, trust: &str) {
        let mut principals = self.lock();
        principals.role(name).trust = trust.to_owned();
    }

    /// Gives a role a policy of its own in the place of one with the same name. The role is made if needed.
    pub fn put_role_policy(&self, role: &str, name: &str, text: &str) -> Result<(), String> {
        let policy = StoredPolicy::of(text)?;
        self.lock().role(role).inline.insert(name.to_owned(), policy);
        Ok(())
    }

    /// Attaches a managed policy with this text to a role. Both are made if needed.
    pub fn attach_role_policy(&self, role: &str, arn: &str, text: &str) -> Result<(), String> {
        let policy = StoredPolicy::of(text)?;
        let mut principals = self.lock();
        principals.managed.insert(arn.to_owned(), policy);
        let attached = &mut principals.role(role).attached;
        if !attached.iter().any(|known| known == arn) {
            attached.push(arn.to_owned());
        }
        Ok(())
    }

    /// What the policies of a caller say; `None` for one that has none and so may do everything.
    pub fn decide(
        &self,
        caller: &CallerPrincipal,
        question: &AccessQuestion,
    ) -> Option<AccessDecision> {
        self.lock().decide(caller, question)
    }

    /// Notes that a policy refused a call: who may not do what.
    pub fn note_refusal(&self, refusal: String) {
        let mut refusals = self.refusals.lock().expect("no one panics while noting a refusal");
        if refusals.len() < KEPT_REFUSALS {
            refusals.push(refusal);
        }
    }

    /// The first refusals, oldest first.
    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().expect("no one panics while noting a refusal").clone()
    }

    /// The principals, to read them.
    pub fn lock(&self) -> MutexGuard<'_, AccountPrincipals> {
        self.principals.lock().expect("no one panics while holding the principals")
    }
}

impl AccountPrincipals {
    fn role(&mut self, name: &str) -> &mut AccountRole {
        self.roles.entry(name.to_owned()).or_insert_with(|| AccountRole::new(TASK_TRUST))
    }

    /// The role of this name.
    pub fn find_role(&self, name: &str) -> Option<&AccountRole> {
        self.roles.get(name)
    }

    /// The managed policy of this ARN, and how many roles have it.
    pub fn managed(&self, arn: &str) -> Option<(&StoredPolicy, usize)> {
        let holders = self.roles.values().filter(|role| role.attached.iter().any(|a| a == arn));
        Some((self.managed.get(arn)?, holders.count()))
    }

    /// As [`PrincipalStore::decide`].
    pub fn decide(
        &self,
        caller: &CallerPrincipal,
        question: &AccessQuestion,
    ) -> Option<AccessDecision> {
        let policies: Vec<&IdentityPolicy> = match caller {
            CallerPrincipal::User => vec![&self.user.as_ref()?.read],
            CallerPrincipal::Session { role, .. } => {
                let role = self.roles.get(role)?;
                let managed = role.attached.iter().filter_map(|arn| self.managed.get(arn));
                let all: Vec<_> =
                    role.inline.values().chain(managed).map(|policy| &policy.read).collect();
                if all.is_empty() {
                    return None;
                }
                all
            }
        };
        Some(decide(policies, question))
    }

    /// The caller of this ARN: the user, a role or a session of one.
    pub fn caller(&self, arn: &str) -> Option<CallerPrincipal> {
        let (head, name) = arn.split_once('/')?;
        let role = match head.rsplit(':').next()? {
            "user" if name == "ci" => return Some(CallerPrincipal::User),
            "role" => name.rsplit('/').next()?,
            "assumed-role" => name.split('/').next()?,
            _ => return None,
        };
        let is_ours = head.split(':').nth(4) == Some(ACCOUNT) && self.roles.contains_key(role);
        let (role, session) = (role.to_owned(), "simulated".to_owned());
        is_ours.then_some(CallerPrincipal::Session { role, session })
    }
}
