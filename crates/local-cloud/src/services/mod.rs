//! The services that a local cloud plays, one folder each: its table of operations, its state, its
//! structures and its errors. HTTP, signatures and the control endpoint are layers above the services.
//!
//! A new service is a folder with a `SERVICE`, and its name in the list of modules and in [`SERVICES`].

pub mod context;
pub mod definition;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod efs;
pub mod iam;
pub mod list_page;
pub mod logs;
pub mod member_checks;
pub mod own_call;
pub mod protocol;
pub mod rest_route;
pub mod secrets_manager;
pub mod service_quotas;
pub mod sns;
pub mod ssm;
pub mod states;
pub mod sts;

use axum::http::request::Parts;
use serde_json::{Map, Value};

use definition::{CloudService, ServiceOperation};
use protocol::ServiceProtocol;
use states::ServiceStates;

use crate::options::CloudOptions;

/// Every service. A request that names no service goes to the first, which then refuses it.
const SERVICES: &[&CloudService] = &[
    &ecs::SERVICE,
    &ec2::SERVICE,
    &ecr::SERVICE,
    &efs::SERVICE,
    &sts::SERVICE,
    &logs::SERVICE,
    &secrets_manager::SERVICE,
    &sns::SERVICE,
    &ssm::SERVICE,
    &iam::SERVICE,
    &service_quotas::SERVICE,
];

/// Which operation of which service a request names.
#[derive(Clone)]
pub(crate) struct ServiceCall {
    pub service: &'static CloudService,
    /// Empty where the request names none.
    pub operation: String,
    /// The members that stand in its path and its query.
    pub located: Map<String, Value>,
}

impl ServiceCall {
    /// What a request is for.
    pub fn of(request: &Parts, body: &[u8]) -> Self {
        let (method, uri, headers) = (&request.method, &request.uri, &request.headers);
        let form = protocol::form_of(headers, body);
        let named = SERVICES.iter().find_map(|&service| match service.protocol {
            ServiceProtocol::RestJson { version } => {
                let operations = service.operations.iter();
                let places = operations
                    .filter_map(|operation| Some((operation.name, operation.route.as_ref()?)));
                let (operation, located) = rest_route::find(places, version, method, uri)?;
                Some(Self { service, operation, located })
            }
            _ => {
                let operation = service.protocol.operation_of(headers, &form)?;
                Some(Self { service, operation, located: Map::new() })
            }
        });
        named.unwrap_or_else(Self::unnamed)
    }

    /// A request that names no service.
    pub fn unnamed() -> Self {
        Self { service: SERVICES[0], operation: String::new(), located: Map::new() }
    }

    /// The members of the request as JSON for the record, without the values of secrets.
    pub fn recorded(&self, body: &[u8]) -> Value {
        self.service.recorded(body, &self.located)
    }
}

/// The states with which every service of a new cloud begins.
pub(crate) fn new_states(options: &CloudOptions) -> ServiceStates {
    let mut states = ServiceStates::default();
    for service in SERVICES {
        (service.prepare)(&mut states, options);
    }
    states
}

/// Every operation of every service, by the name that fault rules give it.
pub(crate) fn operations() -> Vec<&'static ServiceOperation> {
    let all = SERVICES.iter().flat_map(|service| service.operations);
    let mut operations: Vec<_> = all.collect();
    operations.sort_by_key(|operation| operation.rule_name);
    operations
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::definition::{OperationHandler, TaskReference};
    use super::protocol::ServiceAnswer;
    use super::*;
    use crate::wire::exception::ServiceException;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn headers(pairs: &[(&str, &str)]) -> Parts {
        request("POST", "/", pairs)
    }

    #[test]
    fn a_request_is_known_by_its_target_or_by_its_version() {
        let form = headers(&[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
        let call = |headers: &Parts, body: &[u8]| {
            let call = ServiceCall::of(headers, body);
            (call.service.name, call.operation)
        };
        let target = headers(&[("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask")]);
        assert_eq!(call(&target, b"{}"), ("ecs", "RunTask".to_owned()));
        let target = headers(&[("x-amz-target", "Logs_20140328.GetLogEvents")]);
        assert_eq!(call(&target, b"{}"), ("logs", "GetLogEvents".to_owned()));
        let body = b"Action=AssumeRole&Version=2011-06-15";
        assert_eq!(call(&form, body), ("sts", "AssumeRole".to_owned()));
        let body = b"Version=2016-11-15&Action=DescribeSubnets";
        assert_eq!(call(&form, body), ("ec2", "DescribeSubnets".to_owned()));
        for body in [&b"Action=AssumeRole"[..], b"", b"\xff\xfe=%zz"] {
            assert_eq!(call(&form, body), ("ecs", String::new()));
        }
    }

    #[test]
    fn a_request_of_rest_is_known_by_its_method_and_its_path() {
        let call = |method: &str, path: &str| {
            let call = ServiceCall::of(&request(method, path, &[]), b"");
            (call.service.name, call.operation, Value::Object(call.located))
        };
        let efs = |operation: &str, located| ("elasticfilesystem", operation.to_owned(), located);
        assert_eq!(
            call("GET", "/2015-02-01/file-systems?MaxItems=3&Marker=a%2Fb"),
            efs("DescribeFileSystems", json!({"MaxItems": 3, "Marker": "a/b"}))
        );
        let arn = "arn%3Aaws%3Aelasticfilesystem%3Aeu-west-1%3A1%3Afile-system%2Ffs-0a";
        let path = format!("/2015-02-01/file-systems/{arn}/policy");
        let id = "arn:aws:elasticfilesystem:eu-west-1:1:file-system/fs-0a";
        assert_eq!(call("PUT", &path), efs("PutFileSystemPolicy", json!({"FileSystemId": id})));
        let path = "/2015-02-01/resource-tags/fs-0a?tagKeys=a&tagKeys=b+c";
        assert_eq!(
            call("DELETE", path),
            efs("UntagResource", json!({"ResourceId": "fs-0a", "TagKeys": ["a", "b c"]}))
        );
        for unknown in ["/2015-02-01/", "/2015-02-01/file-systems/fs-0a/policy/x"] {
            assert_eq!(call("GET", unknown), efs("", json!({})), "{unknown}");
        }
        assert_eq!(call("GET", "/2015-02-02/file-systems").0, "ecs");
    }

    #[test]
    fn the_same_refusal_has_the_name_of_each_service() {
        let denied = ServiceException::new("AccessDeniedException", "no <right> & more");
        let said = |service: &CloudService| {
            let ServiceAnswer { status, body, .. } = service.refusal(&denied);
            (status, body.replace(&uuid_of(&body), "UUID"))
        };
        assert_eq!(
            said(&ec2::SERVICE),
            (
                403,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
                 <Code>UnauthorizedOperation</Code><Message>no &lt;right&gt; &amp; more</Message>\
                 </Error></Errors><RequestID>UUID</RequestID></Response>"
                    .to_owned()
            )
        );
        assert_eq!(
            said(&sts::SERVICE),
            (
                403,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse \
                 xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>AccessDenied</Code><Message>no &lt;right&gt; &amp; more</Message></Error>\
                 <RequestId>UUID</RequestId></ErrorResponse>"
                    .to_owned()
            )
        );
    }

    #[test]
    fn every_operation_that_rules_may_name_is_played() {
        let all = operations();
        let is_repeated = |pair: &[&ServiceOperation]| pair[0].rule_name == pair[1].rule_name;
        assert!(!all.windows(2).any(is_repeated), "a rule names an operation without its service");
        for operation in &all {
            if let OperationHandler::Json(prepare) = operation.handler {
                assert!(prepare(json!({})).is_ok(), "{} reads an empty body", operation.name);
            }
        }
        let name_tasks = all.iter().filter(|one| one.tasks == TaskReference::Existing);
        let name_tasks: Vec<_> = name_tasks.map(|operation| operation.name).collect();
        let expected =
            ["DescribeTasks", "ListTagsForResource", "StopTask", "TagResource", "UntagResource"];
        assert_eq!(name_tasks, expected);
    }

    fn uuid_of(body: &str) -> String {
        let at = body.to_lowercase().rfind("<requestid>").expect("a request id") + 11;
        body[at..at + 36].to_owned()
    }
}
