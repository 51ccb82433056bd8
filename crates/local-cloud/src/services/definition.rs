//! How a service describes itself to the layers above it: its name, its protocol and the table of its
//! operations. What the operations do stands in each service's folder.

use serde_json::{Map, Value, json};

use super::context::{ActionResult, RequestContext};
use super::protocol::{ErrorName, OperationOutput, ServiceAnswer, ServiceProtocol};
use super::rest_route::RestRoute;
use super::states::ServiceStates;
use crate::access::access_question::AccessQuestion;
use crate::cloud::CloudInstance;
use crate::fault::CloudTaskIdentity;
use crate::options::CloudOptions;
use crate::wire::exception::ServiceException;
use crate::wire::form::{self, FormFields};
use crate::wire::member::{ShapeMember, WrongType};
use crate::wire::xml::XmlElement;

/// What a record shows in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// One service of AWS.
pub(crate) struct CloudService {
    /// The name in the scope of a signature and before the colon of a right.
    pub name: &'static str,
    pub protocol: ServiceProtocol,
    pub operations: &'static [ServiceOperation],
    /// Common errors to which this service gives a name and a status of its own.
    pub errors: &'static [ErrorName],
    /// How the message begins that the caller has no right.
    pub denial_opening: &'static str,
    /// Members of JSON requests whose values are secrets, so that no record shows them.
    pub secret_members: &'static [&'static str],
    /// What a request asks of IAM, where that depends on the resources that it names.
    pub access_questions: QuestionFinder,
    /// Adds what the service keeps to a cloud that is about to start.
    pub prepare: fn(&mut ServiceStates, &CloudOptions),
    /// The tasks that a request names, for fault rules about certain tasks.
    pub tasks_named: TaskFinder,
}

/// Finds the tasks that a request in this Region, of this operation and with this body, names.
pub(crate) type TaskFinder = fn(&CloudInstance, &str, &str, &Value) -> Vec<CloudTaskIdentity>;

/// Finds what a request of this operation and with these members asks of IAM. None means the usual question: for
/// all resources.
pub(crate) type QuestionFinder = fn(&RequestContext<'_>, &str, &Value) -> Vec<AccessQuestion>;

/// One operation of a service.
pub(crate) struct ServiceOperation {
    pub name: &'static str,
    /// Its name in fault rules and rate limits. It begins with the service where another service has
    /// an operation of the same name, because a rule names no service.
    pub rule_name: &'static str,
    pub right: OperationRight,
    pub handler: OperationHandler,
    pub tasks: TaskReference,
    /// Where the operation stands in a service that speaks REST.
    pub route: Option<RestRoute>,
}

/// For which resource a caller needs the right `SERVICE:OPERATION`.
#[derive(Clone, Copy)]
pub(crate) enum OperationRight {
    /// For all resources, which the refusal names as `*`.
    AllResources,
    /// The refusal names no resource.
    NoResource,
    /// For a resource that the request names, so the handler checks the right itself.
    NamedResource,
    /// Everybody with valid keys may do it.
    NoRight,
}

/// What does the operation.
pub(crate) enum OperationHandler {
    /// Reads a JSON body. The right is checked between reading and doing, as AWS does.
    Json(fn(Value) -> Result<PreparedOperation, WrongType>),
    /// Reads the members of a form, and gives the elements inside the answer.
    Query(QueryHandler),
}

/// A request that was read and is still to be done.
pub(crate) type PreparedOperation = Box<dyn FnOnce(&RequestContext<'_>) -> ActionResult>;

/// Does an operation of a query protocol.
pub(crate) type QueryHandler =
    fn(&FormFields, &RequestContext<'_>) -> Result<Vec<XmlElement>, ServiceException>;

/// Which tasks the requests of an operation name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskReference {
    NoTask,
    /// Tasks that exist, by id or ARN.
    Existing,
    /// The tasks that it starts.
    Started,
}

/// The body of a JSON request.
pub(crate) trait JsonRequest: ShapeMember + 'static {
    /// Does what the request asks, and gives the body of the answer.
    fn perform(self, context: &RequestContext<'_>) -> ActionResult;
}

impl ServiceOperation {
    /// An operation with a JSON body of this type.
    pub const fn json<T: JsonRequest>(name: &'static str, right: OperationRight) -> Self {
        fn prepare<T: JsonRequest>(body: Value) -> Result<PreparedOperation, WrongType> {
            let request = T::read(body)?;
            Ok(Box::new(move |context| request.perform(context)))
        }
        let handler = OperationHandler::Json(prepare::<T>);
        Self { name, rule_name: name, right, handler, tasks: TaskReference::NoTask, route: None }
    }

    /// An operation of a query protocol.
    pub const fn query(name: &'static str, right: OperationRight, handler: QueryHandler) -> Self {
        let handler = OperationHandler::Query(handler);
        Self { name, rule_name: name, right, handler, tasks: TaskReference::NoTask, route: None }
    }

    /// The same operation of a service that speaks REST, at this place.
    pub const fn at(self, route: RestRoute) -> Self {
        Self { route: Some(route), ..self }
    }

    /// The same operation, whose requests name tasks.
    pub const fn with_tasks(self, tasks: TaskReference) -> Self {
        Self { tasks, ..self }
    }

    /// The same operation under another name in fault rules.
    pub const fn with_rule_name(self, rule_name: &'static str) -> Self {
        Self { rule_name, ..self }
    }

    /// The answer is JSON, not XML.
    pub fn answers_in_json(&self) -> bool {
        matches!(self.handler, OperationHandler::Json(_))
    }
}

impl CloudService {
    /// A service that keeps nothing, and whose errors and messages are the common ones.
    pub const fn new(
        name: &'static str,
        protocol: ServiceProtocol,
        operations: &'static [ServiceOperation],
    ) -> Self {
        Self {
            name,
            protocol,
            operations,
            errors: &[],
            denial_opening: "",
            secret_members: &[],
            access_questions: |_, _, _| Vec::new(),
            prepare: |_, _| {},
            tasks_named: |_, _, _, _| Vec::new(),
        }
    }

    /// Does what a request for `operation` asks. `located` are the members that stand in its path and its
    /// query.
    pub fn perform(
        &self,
        operation: &str,
        located: &Map<String, Value>,
        body: &[u8],
        context: &RequestContext<'_>,
    ) -> Result<OperationOutput, ServiceException> {
        let operation = self.find(operation)?;
        match operation.handler {
            OperationHandler::Json(prepare) => {
                let members = with_members(json_body(body)?, located);
                let questions = (self.access_questions)(context, operation.name, &members);
                let prepared = prepare(members)?;
                self.check_right(operation, questions, context)?;
                prepared(context).map(OperationOutput::Json)
            }
            OperationHandler::Query(perform) => {
                self.check_right(operation, Vec::new(), context)?;
                let members = form::members(body);
                if self.protocol.is_dry_run(&members) {
                    return Err(ServiceException::dry_run());
                }
                perform(&members, context).map(OperationOutput::Xml)
            }
        }
    }

    /// Does what a JSON request asks, whatever rights the caller has.
    #[cfg(test)]
    pub fn perform_json(
        &self,
        operation: &str,
        body: Value,
        context: &RequestContext<'_>,
    ) -> ActionResult {
        match self.find(operation)?.handler {
            OperationHandler::Json(prepare) => prepare(body)?(context),
            OperationHandler::Query(_) => panic!("{operation} takes a form"),
        }
    }

    /// The name of an operation in fault rules and rate limits; what the request says where there is no
    /// such operation.
    pub fn rule_name<'a>(&self, operation: &'a str) -> &'a str {
        self.find(operation).map_or(operation, |known| known.rule_name)
    }

    /// The members of a request as JSON for the record, those of its path and query included, without the
    /// values of secrets.
    pub fn recorded(&self, body: &[u8], located: &Map<String, Value>) -> Value {
        let mut recorded = with_members(self.protocol.recorded(body), located);
        for member in self.secret_members {
            if let Some(value) = recorded.get_mut(member) {
                *value = Value::from(HIDDEN);
            }
        }
        recorded
    }

    /// The answer of an operation that was done.
    pub fn answer(&self, operation: &str, output: OperationOutput) -> ServiceAnswer {
        let answer = self.protocol.answer(operation, output);
        let route = self.find(operation).ok().and_then(|operation| operation.route.as_ref());
        ServiceAnswer { status: route.map_or(answer.status, |route| route.status), ..answer }
    }

    /// An error, in the shape and with the name that this service gives it.
    pub fn refusal(&self, refusal: &ServiceException) -> ServiceAnswer {
        self.protocol.refusal(refusal, self.errors)
    }

    fn find(&self, name: &str) -> Result<&ServiceOperation, ServiceException> {
        let found = self.operations.iter().find(|operation| operation.name == name);
        found.ok_or_else(|| self.protocol.unknown_operation(self.name, name))
    }

    fn check_right(
        &self,
        operation: &ServiceOperation,
        questions: Vec<AccessQuestion>,
        context: &RequestContext<'_>,
    ) -> Result<(), ServiceException> {
        let right = format!("{}:{}", self.name, operation.name);
        match operation.right {
            OperationRight::AllResources if questions.is_empty() => {
                context.allowed(&right, Some("*"))
            }
            OperationRight::AllResources => {
                // A right that a test took away is taken away for all resources.
                context.has_right(&right, Some("*"))?;
                questions.iter().try_for_each(|one| context.may(one, Some(&one.resource)))
            }
            OperationRight::NoResource => context.allowed(&right, None),
            OperationRight::NamedResource | OperationRight::NoRight => Ok(()),
        }
    }
}

/// The members of a body together with others, which win.
fn with_members(mut body: Value, located: &Map<String, Value>) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.extend(located.clone());
    }
    body
}

/// A body that is empty counts as one without members.
fn json_body(body: &[u8]) -> Result<Value, ServiceException> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| ServiceException::new("SerializationException", error.to_string()))
}
