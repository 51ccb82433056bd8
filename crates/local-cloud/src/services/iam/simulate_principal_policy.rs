//! `SimulatePrincipalPolicy`: what the policies of somebody say of actions, without doing them.
//!
//! It evaluates the policies of the principal alone, as IAM does unless a request brings others; further
//! policies in a request are refused. Rights that a test took away count as well.

use super::iam_errors::{no_entity, required};
use super::principal_store::PrincipalStore;
use crate::access::access_question::AccessQuestion;
use crate::access::identity_policy::AccessDecision;
use crate::services::context::RequestContext;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;
use crate::wire::form::{FormFields, list};
use crate::wire::xml::XmlElement;

/// Members that would change the evaluation in a way that is not played here.
const NOT_PLAYED: [&str; 3] =
    ["PolicyInputList.member.1", "PermissionsBoundaryPolicyInputList.member.1", "ResourcePolicy"];

pub fn simulate_principal_policy(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let source = required(members, "PolicySourceArn")?;
    context.allowed("iam:SimulatePrincipalPolicy", Some(source))?;
    if let Some(member) = NOT_PLAYED.iter().find(|member| members.contains_key(**member)) {
        let member = member.trim_end_matches(".member.1");
        return Err(invalid(&format!("This local cloud does not evaluate {member}.")));
    }
    let actions = list(members, "ActionNames.member");
    if actions.is_empty() {
        required(members, "ActionNames")?;
    }
    let mut resources = list(members, "ResourceArns.member");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let store = context.cloud.states.of::<PrincipalStore>();
    let caller = store.lock().caller(source).ok_or_else(|| {
        let name = source.rsplit('/').next().unwrap_or(source);
        no_entity(format!("The entity with name {name} cannot be found."))
    })?;
    let facts = facts(members);
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |one| (action, one)));
    let results = pairs.map(|(action, resource)| {
        let question = AccessQuestion::new(action, resource);
        let question =
            facts.iter().fold(question, |question, (key, value)| question.with(key, value));
        result(context, &caller, &question)
    });
    Ok(vec![
        XmlElement::text("IsTruncated", "false"),
        XmlElement::new("EvaluationResults").with_all(results),
    ])
}

fn result(
    context: &RequestContext<'_>,
    caller: &CallerPrincipal,
    question: &AccessQuestion,
) -> XmlElement {
    let store = context.cloud.states.of::<PrincipalStore>();
    let decision = match store.decide(caller, question) {
        _ if !context.cloud.rights.allows(caller, &question.action) => "implicitDeny",
        None | Some(AccessDecision::Allowed) => "allowed",
        Some(AccessDecision::NotAllowed) => "implicitDeny",
        Some(AccessDecision::Denied) => "explicitDeny",
    };
    XmlElement::new("member")
        .with(XmlElement::text("EvalActionName", &question.action))
        .with(XmlElement::text("EvalResourceName", &question.resource))
        .with(XmlElement::text("EvalDecision", decision))
        .with(XmlElement::new("MatchedStatements"))
        .with(XmlElement::new("MissingContextValues"))
}

/// The condition keys of the request, each with its values.
fn facts(members: &FormFields) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    for number in 1.. {
        let entry = format!("ContextEntries.member.{number}");
        let Some(key) = members.get(&format!("{entry}.ContextKeyName")) else { break };
        for value in list(members, &format!("{entry}.ContextKeyValues.member")) {
            facts.push((key.clone(), value));
        }
    }
    facts
}

fn invalid(message: &str) -> ServiceException {
    ServiceException::new("InvalidInput", message)
}
