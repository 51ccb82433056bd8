//! The answers of IAM in XML, as it documents them. Members that nobody needs are left out.
//!
//! Source: AWS IAM API Reference, version 2010-05-08.

use serde::Deserialize;

use crate::iam::{AttachedIamPolicy, IamRole, SimulatedAction, decoded};

/// A list in the query protocol.
#[derive(Deserialize)]
pub(crate) struct QueryMembers<T> {
    #[serde(rename = "member", default = "Vec::new")]
    pub items: Vec<T>,
}

impl<T> Default for QueryMembers<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize)]
pub(crate) struct RoleResponse {
    #[serde(rename = "GetRoleResult")]
    result: RoleResult,
}

#[derive(Deserialize)]
struct RoleResult {
    #[serde(rename = "Role")]
    role: RoleMembers,
}

#[derive(Deserialize)]
struct RoleMembers {
    #[serde(rename = "RoleName")]
    name: String,
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(rename = "AssumeRolePolicyDocument", default)]
    trust: String,
    #[serde(rename = "PermissionsBoundary")]
    boundary: Option<BoundaryMembers>,
}

#[derive(Deserialize)]
struct BoundaryMembers {
    #[serde(rename = "PermissionsBoundaryArn")]
    arn: String,
}

impl RoleResponse {
    pub fn into_role(self) -> IamRole {
        let RoleMembers { name, arn, trust, boundary } = self.result.role;
        IamRole { name, arn, trust: decoded(&trust), boundary: boundary.map(|found| found.arn) }
    }
}

#[derive(Deserialize)]
pub(crate) struct AttachedPoliciesResponse {
    #[serde(rename = "ListAttachedRolePoliciesResult")]
    pub result: AttachedPoliciesResult,
}

#[derive(Deserialize)]
pub(crate) struct AttachedPoliciesResult {
    #[serde(rename = "AttachedPolicies", default)]
    pub policies: QueryMembers<AttachedPolicyMembers>,
    #[serde(rename = "IsTruncated", default)]
    pub is_truncated: bool,
    #[serde(rename = "Marker")]
    pub marker: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AttachedPolicyMembers {
    #[serde(rename = "PolicyName")]
    name: String,
    #[serde(rename = "PolicyArn")]
    arn: String,
}

impl From<AttachedPolicyMembers> for AttachedIamPolicy {
    fn from(AttachedPolicyMembers { name, arn }: AttachedPolicyMembers) -> Self {
        Self { name, arn }
    }
}

#[derive(Deserialize)]
pub(crate) struct InlineNamesResponse {
    #[serde(rename = "ListRolePoliciesResult")]
    pub result: InlineNamesResult,
}

#[derive(Deserialize)]
pub(crate) struct InlineNamesResult {
    #[serde(rename = "PolicyNames", default)]
    pub names: QueryMembers<String>,
    #[serde(rename = "IsTruncated", default)]
    pub is_truncated: bool,
    #[serde(rename = "Marker")]
    pub marker: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct InlinePolicyResponse {
    #[serde(rename = "GetRolePolicyResult")]
    pub result: InlinePolicyResult,
}

#[derive(Deserialize)]
pub(crate) struct InlinePolicyResult {
    #[serde(rename = "PolicyDocument")]
    pub document: String,
}

#[derive(Deserialize)]
pub(crate) struct ManagedPolicyResponse {
    #[serde(rename = "GetPolicyResult")]
    pub result: ManagedPolicyResult,
}

#[derive(Deserialize)]
pub(crate) struct ManagedPolicyResult {
    #[serde(rename = "Policy")]
    pub policy: ManagedPolicyMembers,
}

#[derive(Deserialize)]
pub(crate) struct ManagedPolicyMembers {
    #[serde(rename = "DefaultVersionId")]
    pub default_version: String,
}

#[derive(Deserialize)]
pub(crate) struct PolicyVersionResponse {
    #[serde(rename = "GetPolicyVersionResult")]
    pub result: PolicyVersionResult,
}

#[derive(Deserialize)]
pub(crate) struct PolicyVersionResult {
    #[serde(rename = "PolicyVersion")]
    pub version: PolicyVersionMembers,
}

#[derive(Deserialize)]
pub(crate) struct PolicyVersionMembers {
    #[serde(rename = "Document")]
    pub document: String,
}

#[derive(Deserialize)]
pub(crate) struct SimulationResponse {
    #[serde(rename = "SimulatePrincipalPolicyResult")]
    pub result: SimulationResult,
}

#[derive(Deserialize)]
pub(crate) struct SimulationResult {
    #[serde(rename = "EvaluationResults", default)]
    pub results: QueryMembers<EvaluationMembers>,
    #[serde(rename = "IsTruncated", default)]
    pub is_truncated: bool,
    #[serde(rename = "Marker")]
    pub marker: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct EvaluationMembers {
    #[serde(rename = "EvalActionName")]
    action: String,
    #[serde(rename = "EvalDecision")]
    decision: String,
    #[serde(rename = "MissingContextValues", default)]
    missing: QueryMembers<String>,
    #[serde(rename = "OrganizationsDecisionDetail")]
    organization: Option<OrganizationDecision>,
}

#[derive(Deserialize)]
struct OrganizationDecision {
    #[serde(rename = "AllowedByOrganizations", default)]
    is_allowed: bool,
}

impl From<EvaluationMembers> for SimulatedAction {
    fn from(evaluation: EvaluationMembers) -> Self {
        let EvaluationMembers { action, decision, missing, organization } = evaluation;
        Self {
            action,
            is_allowed: decision == "allowed",
            is_denied_by_name: decision == "explicitDeny",
            is_denied_by_organization: organization.is_some_and(|found| !found.is_allowed),
            missing_keys: missing.items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, String> {
        quick_xml::de::from_str(body).map_err(|error| error.to_string())
    }

    #[test]
    fn a_role_is_read_with_its_trust_and_its_boundary() {
        let body = r#"<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
          <GetRoleResult><Role><Path>/ci/</Path><Arn>arn:aws:iam::123456789012:role/ci/task</Arn>
          <RoleName>task</RoleName><AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</AssumeRolePolicyDocument>
          <CreateDate>2026-01-01T00:00:00Z</CreateDate><RoleId>AROA1</RoleId>
          <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>
          <PermissionsBoundaryArn>arn:b</PermissionsBoundaryArn></PermissionsBoundary><Tags/></Role></GetRoleResult>
          <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetRoleResponse>"#;
        let role = read::<RoleResponse>(body).unwrap().into_role();
        assert_eq!((role.name.as_str(), role.boundary.as_deref()), ("task", Some("arn:b")));
        assert_eq!(role.trust, r#"{"Version":"2012-10-17"}"#);
    }

    #[test]
    fn lists_may_be_empty_and_may_go_on() {
        let none = "<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames/>\
                    <IsTruncated>false</IsTruncated></ListRolePoliciesResult></ListRolePoliciesResponse>";
        let read_none = read::<InlineNamesResponse>(none).unwrap().result;
        assert!(read_none.names.items.is_empty() && !read_none.is_truncated);
        let more = "<ListAttachedRolePoliciesResponse><ListAttachedRolePoliciesResult><AttachedPolicies>\
                    <member><PolicyName>p</PolicyName><PolicyArn>arn:p</PolicyArn></member></AttachedPolicies>\
                    <IsTruncated>true</IsTruncated><Marker>m</Marker></ListAttachedRolePoliciesResult>\
                    </ListAttachedRolePoliciesResponse>";
        let found = read::<AttachedPoliciesResponse>(more).unwrap().result;
        assert_eq!((found.policies.items.len(), found.marker.as_deref()), (1, Some("m")));
    }

    #[test]
    fn a_simulation_tells_what_is_allowed_and_which_keys_it_lacked() {
        let body = "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>\
             <EvaluationResults><member><MatchedStatements/><MissingContextValues/>\
             <EvalResourceName>*</EvalResourceName><EvalDecision>allowed</EvalDecision>\
             <EvalActionName>ecs:RunTask</EvalActionName></member><member><MatchedStatements><member>\
             <SourcePolicyId>p</SourcePolicyId></member></MatchedStatements><MissingContextValues>\
             <member>aws:SourceIp</member></MissingContextValues><EvalDecision>explicitDeny</EvalDecision>\
             <OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations>\
             </OrganizationsDecisionDetail>\
             <EvalActionName>ecs:StopTask</EvalActionName></member></EvaluationResults>\
             </SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>";
        let results = read::<SimulationResponse>(body).unwrap().result.results.items;
        let found: Vec<SimulatedAction> = results.into_iter().map(Into::into).collect();
        assert!(found[0].is_allowed && found[0].missing_keys.is_empty());
        assert!(found[1].is_denied_by_organization && !found[0].is_denied_by_organization);
        assert!(found[1].is_denied_by_name && found[1].missing_keys == ["aws:SourceIp"]);
        for odd in ["", "<html/>", "<SimulatePrincipalPolicyResponse/>"] {
            assert!(read::<SimulationResponse>(odd).is_err(), "{odd}");
        }
    }
}
