//! What an operation knows of its request besides the request's own members: the cloud, the Region,
//! the caller, the time and the fault that the operation itself has to play.

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use fargate_model::region::AwsPartition;
use serde_json::Value;

use crate::access::access_question::AccessQuestion;
use crate::access::identity_policy::AccessDecision;
use crate::account::ACCOUNT;
use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, ReaderLag};
use crate::services::iam::principal_store::PrincipalStore;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;

/// The body of an answer, or an error.
pub(crate) type ActionResult = Result<Value, ServiceException>;

/// Who calls where no request came over the wire: whoever owns this cloud. No policy is given to this role, so it
/// may do everything.
static OWNER: LazyLock<CallerPrincipal> = LazyLock::new(|| CallerPrincipal::Session {
    role: "owner".to_owned(),
    session: "local-cloud".to_owned(),
});

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
    /// A request of whoever owns this cloud, which no fault meets.
    pub fn of_owner(cloud: &'a Arc<CloudInstance>, region: &'a str) -> Self {
        Self {
            cloud,
            region,
            now: cloud.clock.now(),
            fault: None,
            view: ReaderLag::default(),
            principal: &OWNER,
            denial_opening: "",
        }
    }

    /// The partition of the Region, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        AwsPartition::of(self.region).name()
    }

    /// Refuses what the caller may not do to a resource, in the words of IAM. A service that names no
    /// resource gives `None`.
    pub fn allowed(&self, right: &str, resource: Option<&str>) -> Result<(), ServiceException> {
        self.may(&AccessQuestion::new(right, resource.unwrap_or("*")), resource)
    }

    /// The same for a question with circumstances. `named` is the resource that a refusal names.
    ///
    /// Source: messages of the services, as public issue trackers quote them.
    pub fn may(
        &self,
        question: &AccessQuestion,
        named: Option<&str>,
    ) -> Result<(), ServiceException> {
        let right = &question.action;
        self.has_right(right, named)?;
        let question = question
            .clone()
            .with("aws:RequestedRegion", self.region)
            .with("aws:PrincipalAccount", ACCOUNT)
            .with("aws:PrincipalArn", self.principal.arn(self.partition()));
        let principals = self.cloud.states.of::<PrincipalStore>();
        let decision = principals.decide(self.principal, &question);
        if matches!(decision, Some(AccessDecision::NotAllowed | AccessDecision::Denied)) {
            principals.note_refusal(format!(
                "{} may not {right} on {}",
                self.principal.arn(self.partition()),
                question.resource
            ));
        }
        match decision {
            None | Some(AccessDecision::Allowed) => Ok(()),
            Some(AccessDecision::NotAllowed) => Err(self.not_allowed(right, named)),
            Some(AccessDecision::Denied) => {
                let because = " with an explicit deny in an identity-based policy";
                Err(self.refused(right, named, because))
            }
        }
    }

    /// Refuses a right that a test took away, whatever policies say.
    pub fn has_right(&self, right: &str, named: Option<&str>) -> Result<(), ServiceException> {
        match self.cloud.rights.allows(self.principal, right) {
            true => Ok(()),
            false => Err(self.not_allowed(right, named)),
        }
    }

    fn not_allowed(&self, right: &str, named: Option<&str>) -> ServiceException {
        let because = format!(" because no identity-based policy allows the {right} action");
        self.refused(right, named, &because)
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
