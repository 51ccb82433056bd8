//! `GetPolicy` and `GetPolicyVersion`: managed policies, each of which has one version.

use super::iam_errors::{encoded, no_entity, no_policy, required};
use super::principal_store::PrincipalStore;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::timestamp;
use crate::wire::xml::XmlElement;

/// The version of every policy.
const VERSION: &str = "v1";

pub fn get_policy(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let arn = required(members, "PolicyArn")?;
    context.allowed("iam:GetPolicy", Some(arn))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let (_, holders) = principals.managed(arn).ok_or_else(|| no_policy(arn))?;
    let made = timestamp::iso_date(context.cloud.clock.began());
    let path = arn.split_once(":policy").map_or("/", |(_, path)| path);
    let (path, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok(vec![
        XmlElement::new("Policy")
            .with(XmlElement::text("PolicyName", name))
            .with(XmlElement::text("Arn", arn))
            .with(XmlElement::text("Path", format!("{path}/")))
            .with(XmlElement::text("DefaultVersionId", VERSION))
            .with(XmlElement::text("AttachmentCount", holders.to_string()))
            .with(XmlElement::text("IsAttachable", "true"))
            .with(XmlElement::text("CreateDate", &made))
            .with(XmlElement::text("UpdateDate", &made)),
    ])
}

pub fn get_policy_version(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let arn = required(members, "PolicyArn")?;
    let version = required(members, "VersionId")?;
    context.allowed("iam:GetPolicyVersion", Some(arn))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let (policy, _) = principals.managed(arn).ok_or_else(|| no_policy(arn))?;
    if version != VERSION {
        return Err(no_entity(format!("Policy {arn} version {version} does not exist.")));
    }
    Ok(vec![
        XmlElement::new("PolicyVersion")
            .with(XmlElement::text("Document", encoded(&policy.text)))
            .with(XmlElement::text("VersionId", VERSION))
            .with(XmlElement::text("IsDefaultVersion", "true"))
            .with(XmlElement::text("CreateDate", timestamp::iso_date(context.cloud.clock.began()))),
    ])
}
