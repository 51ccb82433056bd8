//! `GetCallerIdentity` of STS: who signed this request. Everybody may ask, so no right is checked.
//!
//! Source: AWS Security Token Service API Reference, `GetCallerIdentity`.

use crate::account::ACCOUNT;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::xml::XmlElement;

pub fn get_caller_identity(
    _members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    Ok(vec![
        XmlElement::text("Arn", context.principal.arn(context.partition())),
        XmlElement::text("UserId", context.principal.unique_id()),
        XmlElement::text("Account", ACCOUNT),
    ])
}
