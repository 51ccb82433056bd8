//! Where AWS's own console shows a task.
//!
//! Source: the address that the ECS console itself shows, and AWS General Reference for other partitions.

/// The page of the task with this ARN, `arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID`; `None` for another text.
#[must_use]
pub fn ecs_console_url(task_arn: &str) -> Option<String> {
    let mut parts = task_arn.strip_prefix("arn:")?.splitn(5, ':');
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, resource) = (parts.next()?, parts.next()?);
    let (cluster, id) = resource.strip_prefix("task/")?.split_once('/')?;
    let is_plain = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !text.is_empty() && text.bytes().all(allowed)
    };
    if service != "ecs" || ![region, cluster, id].into_iter().all(is_plain) {
        return None;
    }
    let domain = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    Some(format!(
        "https://{region}.{domain}/ecs/v2/clusters/{cluster}/tasks/{id}/configuration?region={region}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_a_page_in_the_console_of_its_partition() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90";
        let page = ecs_console_url(arn).unwrap();
        insta::assert_snapshot!(page, @"https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/ci/tasks/5a7c1e90/configuration?region=eu-west-1");
        let china = ecs_console_url("arn:aws-cn:ecs:cn-north-1:123456789012:task/ci/5a");
        assert!(china.is_some_and(|page| page.contains(".console.amazonaws.cn/")));
        for odd in
            ["", "5a7c1e90", "arn:aws:ecs:eu-west-1:1:task/ci/a\"b", "arn:x:ecs:r:1:task/c/1"]
        {
            assert_eq!(ecs_console_url(odd), None, "{odd}");
        }
    }
}
