//! `ListRolePolicies` and `ListAttachedRolePolicies`. An answer has one page.

use super::iam_errors::{no_role, required, role_arn};
use super::principal_store::PrincipalStore;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::xml::XmlElement;

pub fn list_role_policies(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let name = required(members, "RoleName")?;
    context.allowed("iam:ListRolePolicies", Some(&role_arn(context, name)))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let role = principals.find_role(name).ok_or_else(|| no_role(name))?;
    let names = role.inline.keys().map(|policy| XmlElement::text("member", policy));
    Ok(one_page(XmlElement::new("PolicyNames").with_all(names)))
}

pub fn list_attached_role_policies(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let name = required(members, "RoleName")?;
    context.allowed("iam:ListAttachedRolePolicies", Some(&role_arn(context, name)))?;
    let principals = context.cloud.states.of::<PrincipalStore>().lock();
    let role = principals.find_role(name).ok_or_else(|| no_role(name))?;
    let attached = role.attached.iter().map(|arn| {
        let policy = arn.rsplit('/').next().unwrap_or(arn);
        XmlElement::new("member")
            .with(XmlElement::text("PolicyName", policy))
            .with(XmlElement::text("PolicyArn", arn))
    });
    Ok(one_page(XmlElement::new("AttachedPolicies").with_all(attached)))
}

fn one_page(found: XmlElement) -> Vec<XmlElement> {
    vec![found, XmlElement::text("IsTruncated", "false")]
}
