//! What IAM knows of a role: its trust, its policies, and what a simulation says that it may do.
//!
//! It changes nothing, and judges no policy. IAM uses the query protocol: a signed form, XML in the answer.
//! Each call is made once; the caller repeats it if needed. Each error names the right that the call needs.
//!
//! Source: AWS IAM API Reference, version 2010-05-08.

use serde::de::DeserializeOwned;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::iam_answers::{
    AttachedPoliciesResponse, InlineNamesResponse, InlinePolicyResponse, ManagedPolicyResponse,
    PolicyVersionResponse, RoleResponse, SimulationResponse,
};
use crate::signed_request::UnsignedRequest;
use crate::xml_refusal::refusal;

const WHO: &str = "IAM";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Longest answer that is read, in bytes. Source: AWS IAM User Guide, "IAM and AWS STS quotas": a policy has
/// at most 10,240 characters, and the answer writes each with up to three.
const LONGEST: usize = 1024 * 1024;
/// Most pages of a list. Source: as above, at most 20 policies are attached to a role, and a page has 100.
const MAX_PAGES: usize = 20;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamRole {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// Who may assume it: a policy document.
    pub trust: String,
    /// The ARN of the policy that bounds it.
    pub boundary: Option<String>,
}

/// A managed policy that is attached to a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedIamPolicy {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
}

/// A question to the simulation of IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySimulation {
    /// The ARN of the user or role that would call.
    pub principal: String,
    /// The actions.
    pub actions: Vec<String>,
    /// The ARN of what they would act on, or `*`.
    pub resource: String,
    /// The keys of conditions with their values.
    pub context: Vec<(String, String)>,
}

/// What the simulation says of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedAction {
    /// The action.
    pub action: String,
    /// Whether it is allowed.
    pub is_allowed: bool,
    /// Whether a policy denies it by name.
    pub is_denied_by_name: bool,
    /// Whether a policy of the organisation does not allow it.
    pub is_denied_by_organization: bool,
    /// Keys of conditions that the policies look at and the question does not have.
    pub missing_keys: Vec<String>,
}

impl AwsAccount {
    /// Calls `GetRole`. Returns `None` if there is no such role.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn iam_role(&self, name: &str) -> Result<Option<IamRole>, CallError> {
        let asked = [("RoleName".to_owned(), name)];
        let answer = self.iam::<RoleResponse>("GetRole", "iam:GetRole", &asked).await;
        unless_missing(answer.map(RoleResponse::into_role))
    }

    /// Calls `ListAttachedRolePolicies` for all managed policies of a role.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed, or if the list does not end.
    pub async fn attached_policies(&self, role: &str) -> Result<Vec<AttachedIamPolicy>, CallError> {
        let right = "iam:ListAttachedRolePolicies";
        let (mut found, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let asked = page_of(role, next.as_deref());
            let answer = self.iam("ListAttachedRolePolicies", right, &asked).await;
            let AttachedPoliciesResponse { result } = answer?;
            found.extend(result.policies.items.into_iter().map(Into::into));
            next = result.marker.filter(|_| result.is_truncated);
            if next.is_none() {
                return Ok(found);
            }
        }
        Err(self.endless(right))
    }

    /// Calls `ListRolePolicies` for the names of all policies that are part of a role.
    ///
    /// # Errors
    ///
    /// As [`Self::attached_policies`].
    pub async fn inline_policy_names(&self, role: &str) -> Result<Vec<String>, CallError> {
        let right = "iam:ListRolePolicies";
        let (mut found, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let asked = page_of(role, next.as_deref());
            let InlineNamesResponse { result } =
                self.iam("ListRolePolicies", right, &asked).await?;
            found.extend(result.names.items);
            next = result.marker.filter(|_| result.is_truncated);
            if next.is_none() {
                return Ok(found);
            }
        }
        Err(self.endless(right))
    }

    /// Calls `GetRolePolicy`: the document of a policy that is part of a role.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn inline_policy(&self, role: &str, name: &str) -> Result<String, CallError> {
        let asked = [("RoleName".to_owned(), role), ("PolicyName".to_owned(), name)];
        let answer: InlinePolicyResponse =
            self.iam("GetRolePolicy", "iam:GetRolePolicy", &asked).await?;
        Ok(decoded(&answer.result.document))
    }

    /// Calls `GetPolicy` and `GetPolicyVersion`: the document of a managed policy that is in force.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed.
    pub async fn managed_policy(&self, arn: &str) -> Result<String, CallError> {
        let asked = [("PolicyArn".to_owned(), arn)];
        let answer: ManagedPolicyResponse = self.iam("GetPolicy", "iam:GetPolicy", &asked).await?;
        let version = answer.result.policy.default_version;
        let asked = [("PolicyArn".to_owned(), arn), ("VersionId".to_owned(), version.as_str())];
        let answer: PolicyVersionResponse =
            self.iam("GetPolicyVersion", "iam:GetPolicyVersion", &asked).await?;
        Ok(decoded(&answer.result.version.document))
    }

    /// Calls `SimulatePrincipalPolicy`. The answer has one item for each action that IAM told something of.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed, or if its answer goes on without end.
    pub async fn simulate_policy(
        &self,
        simulation: &PolicySimulation,
    ) -> Result<Vec<SimulatedAction>, CallError> {
        let right = "iam:SimulatePrincipalPolicy";
        let (mut found, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let asked = simulation.form(next.as_deref());
            let answer = self.iam("SimulatePrincipalPolicy", right, &asked).await;
            let SimulationResponse { result } = answer?;
            found.extend(result.results.items.into_iter().map(Into::into));
            next = result.marker.filter(|_| result.is_truncated);
            if next.is_none() {
                return Ok(found);
            }
        }
        Err(self.endless(right))
    }

    async fn iam<T: DeserializeOwned>(
        &self,
        action: &'static str,
        right: &'static str,
        members: &[(String, &str)],
    ) -> Result<T, CallError> {
        let (endpoint, region) = self.iam_place();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2010-05-08")
            .extend_pairs(members)
            .finish();
        let question = UnsignedRequest {
            who: WHO,
            service: "iam",
            region,
            endpoint: endpoint.clone(),
            headers: &[("content-type", FORM)],
            body: form,
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| match said.status {
            200..300 => quick_xml::de::from_str(&said.body).map_err(|error| {
                let text = format!("{WHO}'s answer to {action} is not as documented: {error}");
                CallError::Unreadable { text }
            }),
            _ => Err(self.judged(refusal(said.status, &said.body, &self.masker))),
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: WHO,
            endpoint,
            right,
            error: Box::new(error),
        })
    }

    fn endless(&self, right: &'static str) -> CallError {
        let text = format!("{WHO}'s list goes on after {MAX_PAGES} pages");
        let error = Box::new(CallError::Unreadable { text });
        CallError::Elsewhere { service: WHO, endpoint: self.iam_place().0, right, error }
    }
}

impl PolicySimulation {
    fn form<'a>(&'a self, marker: Option<&'a str>) -> Vec<(String, &'a str)> {
        let mut form = vec![("PolicySourceArn".to_owned(), self.principal.as_str())];
        for (at, action) in self.actions.iter().enumerate() {
            form.push((format!("ActionNames.member.{}", at + 1), action));
        }
        form.push(("ResourceArns.member.1".to_owned(), self.resource.as_str()));
        for (at, (key, value)) in self.context.iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", at + 1);
            form.push((format!("{entry}.ContextKeyName"), key));
            form.push((format!("{entry}.ContextKeyType"), "string"));
            form.push((format!("{entry}.ContextKeyValues.member.1"), value));
        }
        form.extend(marker.map(|marker| ("Marker".to_owned(), marker)));
        form
    }
}

fn page_of<'a>(role: &'a str, marker: Option<&'a str>) -> Vec<(String, &'a str)> {
    let mut asked = vec![("RoleName".to_owned(), role)];
    asked.extend(marker.map(|marker| ("Marker".to_owned(), marker)));
    asked
}

/// IAM writes policy documents as in a URL.
pub(crate) fn decoded(document: &str) -> String {
    // A form would read `+` as a blank, and IAM writes `%20` for one.
    let document = format!("d={}", document.replace('+', "%2B"));
    let pair = url::form_urlencoded::parse(document.as_bytes()).next();
    pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn unless_missing<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    let is_missing = |error: &CallError| matches!(error, CallError::Answered { code, .. } if code == "NoSuchEntity");
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(CallError::Elsewhere { error, .. }) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_is_asked_with_numbered_members() {
        let simulation = PolicySimulation {
            principal: "arn:aws:iam::123456789012:role/ci".to_owned(),
            actions: vec!["ecs:RunTask".to_owned(), "ecs:StopTask".to_owned()],
            resource: "*".to_owned(),
            context: vec![("ecs:cluster".to_owned(), "arn:c".to_owned())],
        };
        let form: Vec<String> = simulation
            .form(Some("m"))
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insta::assert_snapshot!(form.join("\n"), @r"
        PolicySourceArn=arn:aws:iam::123456789012:role/ci
        ActionNames.member.1=ecs:RunTask
        ActionNames.member.2=ecs:StopTask
        ResourceArns.member.1=*
        ContextEntries.member.1.ContextKeyName=ecs:cluster
        ContextEntries.member.1.ContextKeyType=string
        ContextEntries.member.1.ContextKeyValues.member.1=arn:c
        Marker=m
        ");
    }

    #[test]
    fn a_document_is_read_from_its_form_in_a_url() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22b%2Bc%22%7D"), r#"{"a": "b+c"}"#);
        assert_eq!(decoded(r#"{"a":"x+y&z=1"}"#.split('&').next().unwrap()), r#"{"a":"x+y"#);
    }
}
