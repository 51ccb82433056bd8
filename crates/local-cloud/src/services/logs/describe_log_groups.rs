//! `DescribeLogGroups` of CloudWatch Logs: the groups that have a stream, and those that the owner of the cloud
//! added. An answer has one page.
//!
//! Source, for shape: Amazon CloudWatch Logs API Reference, `DescribeLogGroups`.

use std::sync::Arc;

use serde_json::json;

use super::log_groups::AddedLogGroups;
use super::streams::CloudLogStreams;
use crate::account::ACCOUNT;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    DescribeLogGroups {
        log_group_name_prefix: String = "logGroupNamePrefix",
        log_group_name_pattern: String = "logGroupNamePattern",
        next_token: String = "nextToken",
        limit: i32 = "limit",
    }
}

impl JsonRequest for DescribeLogGroups {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        if self.log_group_name_prefix.is_some() && self.log_group_name_pattern.is_some() {
            return Err(ServiceException::parameter(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let (partition, region) = (context.partition(), context.region);
        let made = context.cloud.clock.began().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let made_ms = u64::try_from(made.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let mut groups = context.cloud.states.of::<AddedLogGroups>().of(region);
        groups.extend(context.cloud.states.of::<Arc<CloudLogStreams>>().groups(region));
        let prefix = self.log_group_name_prefix.unwrap_or_default();
        let part = self.log_group_name_pattern.unwrap_or_default();
        let groups = groups.iter().filter(|name| name.starts_with(&prefix) && name.contains(&part));
        let groups = groups.map(|name| {
            let arn = format!("arn:{partition}:logs:{region}:{ACCOUNT}:log-group:{name}");
            json!({
                "logGroupName": name, "creationTime": made_ms, "metricFilterCount": 0,
                "arn": format!("{arn}:*"), "logGroupArn": arn, "storedBytes": 0,
                "logGroupClass": "STANDARD",
            })
        });
        Ok(json!({ "logGroups": groups.collect::<Vec<_>>() }))
    }
}
