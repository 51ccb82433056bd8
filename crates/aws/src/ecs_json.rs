//! Calls of ECS in ECS's own JSON, for task definitions and reads: a template may have members that are newer
//! than the SDK's types, and those must neither be lost on the way out nor on the way in.
//!
//! Each call is made once; the caller repeats it if needed. Nothing of an answer is interpreted here.
//!
//! Source: Amazon ECS API Reference, version 2014-11-13.

use serde_json::Value;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "ECS";
/// Longest answer that is read, in bytes. A task definition has at most 64 KiB, and a page of
/// DescribeTasks a hundred tasks.
const LONGEST: usize = 4 * 1024 * 1024;

/// Declares the operations with what each is called on the wire and in a policy.
macro_rules! operations {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// An operation of ECS that is called in its own JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EcsOperation {
            $($(#[$doc])+ $name,)+
        }

        impl EcsOperation {
            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The right that it needs.
            #[must_use]
            pub fn right(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("ecs:", stringify!($name)),)+
                }
            }

            fn headers(self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $(Self::$name => &[
                        ("content-type", "application/x-amz-json-1.1"),
                        (
                            "x-amz-target",
                            concat!("AmazonEC2ContainerServiceV20141113.", stringify!($name)),
                        ),
                    ],)+
                }
            }
        }
    };
}

operations! {
    /// Registers a new revision.
    RegisterTaskDefinition,
    /// Describes one revision.
    DescribeTaskDefinition,
    /// Lists the revisions of a family.
    ListTaskDefinitions,
    /// Makes a revision inactive.
    DeregisterTaskDefinition,
    /// Deletes inactive revisions.
    DeleteTaskDefinitions,
    /// Lists the tasks of a cluster.
    ListTasks,
    /// Describes tasks.
    DescribeTasks,
    /// Describes clusters.
    DescribeClusters,
}

impl AwsAccount {
    /// Calls ECS with this body, and gives the body of the answer.
    ///
    /// # Errors
    ///
    /// [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn ecs_json(
        &self,
        operation: EcsOperation,
        body: &Value,
    ) -> Result<Value, CallError> {
        let question = UnsignedRequest {
            who: WHO,
            service: "ecs",
            region: &self.region,
            endpoint: self.endpoint("ecs"),
            headers: operation.headers(),
            body: body.to_string(),
            longest: LONGEST,
        };
        let said = self.ask(question).await?;
        match said.status {
            200..300 => serde_json::from_str(&said.body).map_err(|error| {
                let text = format!("{WHO}'s answer to {} is no JSON: {error}", operation.name());
                CallError::Unreadable { text }
            }),
            _ => Err(self.judged(refusal(&said, &self.masker))),
        }
    }
}
