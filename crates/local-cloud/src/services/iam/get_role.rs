//! `GetRole` and `GetRolePolicy`.

use super::iam_errors::{encoded, no_entity, no_role, required, role_arn};
use super::principal_store::PrincipalStore;
use crate::services::context::RequestContext;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::timestamp;
use crate::wire::xml::XmlElement;

/// How long a session of a role may last, in seconds. Source: AWS IAM API Reference, `Role`.
const MAX_SESSION_S: &str = "3600";

pub fn get_role(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let name = required(members, "RoleName")?;
    let arn = role_arn(context, name);
    context.allowed("iam:GetRole", Some(&arn))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let role = principals.find_role(name).ok_or_else(|| no_role(name))?;
    let id = CallerPrincipal::Session { role: name.to_owned(), session: String::new() }.unique_id();
    let made = timestamp::iso_date(context.cloud.clock.began());
    Ok(vec![
        XmlElement::new("Role")
            .with(XmlElement::text("Path", "/"))
            .with(XmlElement::text("RoleName", name))
            .with(XmlElement::text("RoleId", id.trim_end_matches(':')))
            .with(XmlElement::text("Arn", arn))
            .with(XmlElement::text("CreateDate", made))
            .with(XmlElement::text("AssumeRolePolicyDocument", encoded(&role.trust)))
            .with(XmlElement::text("MaxSessionDuration", MAX_SESSION_S)),
    ])
}

pub fn get_role_policy(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let name = required(members, "RoleName")?;
    let policy = required(members, "PolicyName")?;
    context.allowed("iam:GetRolePolicy", Some(&role_arn(context, name)))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let role = principals.find_role(name).ok_or_else(|| no_role(name))?;
    let found = role
        .inline
        .get(policy)
        .ok_or_else(|| no_entity(format!("The role policy with name {policy} cannot be found.")))?;
    Ok(vec![
        XmlElement::text("RoleName", name),
        XmlElement::text("PolicyName", policy),
        XmlElement::text("PolicyDocument", encoded(&found.text)),
    ])
}
