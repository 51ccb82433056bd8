//! `DescribeTaskDefinition`.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::member_checks::{includes, required};
use crate::wire::exception::ServiceException;
use crate::wire::member::{ShapeMember, shapes, without_nulls};

shapes! {
    DescribeTaskDefinition {
        task_definition: String = "taskDefinition",
        include: Vec<String> = "include",
    }
}

impl JsonRequest for DescribeTaskDefinition {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.task_definition.as_ref(), "taskDefinition")?;
        let with_tags = includes(self.include.as_deref(), &["TAGS"], "TAGS")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let definition = region
            .definition(reference)
            .ok_or_else(|| ServiceException::client("Unable to describe task definition."))?;
        let tags = with_tags.then(|| definition.tags.to_vec().write());
        Ok(without_nulls(json!({ "taskDefinition": definition.view(), "tags": tags })))
    }
}
