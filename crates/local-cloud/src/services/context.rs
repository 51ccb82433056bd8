//! What an operation knows of its request besides the request's own members: the cloud, the Region,
//! the caller, the time and the fault that the operation itself has to play.

use std::sync::Arc;
use std::time::SystemTime;

use fargate_model::region::AwsPartition;
use serde_json::Value;

use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, ReaderLag};
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;

/// The body of an answer, or an error.
pub(crate) type ActionResult = Result<Value, ServiceException>;

/// Where an operation takes place.
pub(crate) struct RequestContext<'a> {
    pub cloud: &'a Arc<CloudInstance>,
    pub region: &'a str,
    pub now: SystemTime,
    pub fault: Option<&'a CloudFault>,
    pub view: ReaderLag,
    pub principal: &'a CallerPrincipal,
    /// How the service begins the message that the caller has no right.
    pub denial_opening: &'static str,
}

impl<'a> RequestContext<'a> {
    /// A request of the account's one user that no fault meets.
    pub fn of_user(cloud: &'a Arc<CloudInstance>, region: &'a str) -> Self {
        Self {
            cloud,
            region,
            now: cloud.clock.now(),
            fault: None,
            view: ReaderLag::default(),
            principal: &CallerPrincipal::User,
            denial_opening: "",
        }
    }

    /// The partition of the Region, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        AwsPartition::of(self.region).name()
    }

    /// Refuses a right that a test took away, in the words of IAM. A service that names no resource
    /// gives `None`.
    ///
    /// Source: messages of the services, as public issue trackers quote them.
    pub fn allowed(&self, right: &str, resource: Option<&str>) -> Result<(), ServiceException> {
        if self.cloud.rights.allows(self.principal, right) {
            return Ok(());
        }
        let because = format!(" because no identity-based policy allows the {right} action");
        Err(self.refused(right, resource, &because))
    }

    /// The error that the caller has no right to do this.
    pub fn refused(&self, right: &str, resource: Option<&str>, because: &str) -> ServiceException {
        let user = self.principal.arn(self.partition());
        let on = resource.map(|resource| format!(" on resource: {resource}")).unwrap_or_default();
        let words = format!("User: {user} is not authorized to perform: {right}{on}{because}");
        let message = format!("{}{words}", self.denial_opening);
        ServiceException::new("AccessDeniedException", message)
    }
}
