//! A call that ECS makes itself for a task, as a session of the task's execution role. No request comes over
//! the wire for it, but fault rules and rights meet it as they meet any other call.

use std::sync::Arc;

use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, ObservedCall};
use crate::random_id;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::secrets_manager::registry_login::ExecutionSession;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;

/// The number that the record of faults gives a call without a request of its own.
const NO_REQUEST: u64 = 0;

/// Why ECS has no answer.
#[derive(Debug, PartialEq)]
pub(crate) enum OwnCallFailure {
    /// The service refused.
    Refused(ServiceException),
    /// Nothing came back in time.
    NoAnswer,
}

/// Does `request`, which fault rules know as `operation`, in a Region.
pub(crate) fn call(
    cloud: &Arc<CloudInstance>,
    session: &ExecutionSession<'_>,
    operation: &str,
    region: &str,
    request: impl JsonRequest,
) -> Result<serde_json::Value, OwnCallFailure> {
    meet(cloud, operation)?;
    let principal = CallerPrincipal::Session {
        role: session.role.to_owned(),
        session: session.task.to_owned(),
    };
    let context =
        RequestContext { principal: &principal, ..RequestContext::of_owner(cloud, region) };
    let answer: ActionResult = request.perform(&context);
    answer.map_err(OwnCallFailure::Refused)
}

/// Asks the fault rules. A fault that only delays or changes an answer changes nothing here.
fn meet(cloud: &CloudInstance, operation: &str) -> Result<(), OwnCallFailure> {
    let call = ObservedCall { operation, request: NO_REQUEST, tasks: &[] };
    match cloud.faults.meet(&call, cloud.clock.now()).fault {
        Some(CloudFault::Exception { status, code, message }) => {
            let refusal = ServiceException::new(&code, message);
            Err(OwnCallFailure::Refused(ServiceException { status, ..refusal }))
        }
        Some(CloudFault::KeyExpires) => Err(OwnCallFailure::Refused(ServiceException::expired())),
        Some(CloudFault::LostRequest | CloudFault::LostAnswer | CloudFault::Hang) => {
            Err(OwnCallFailure::NoAnswer)
        }
        _ => Ok(()),
    }
}

/// A refusal as the SDK that ECS uses writes it.
pub(crate) fn told(refusal: &ServiceException) -> String {
    let ServiceException { status, code, message, .. } = refusal;
    format!("{code}: {message} status code: {status}, request id: {}", random_id::uuid())
}
