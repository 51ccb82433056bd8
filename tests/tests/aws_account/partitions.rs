//! China and GovCloud: the ARNs differ, and the product behaves the same.

use fargate_tests::CheckedHost;

use crate::reaches_all;

#[tokio::test]
async fn jobs_run_in_the_regions_of_other_partitions() {
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let site = CheckedHost::open().await;
        let role = site.cloud().add_role(region, "ci", None);
        assert!(role.starts_with(&format!("arn:{partition}:iam::")));
        site.set("defaults.region", region);
        site.set("defaults.assume_role_arn", role);
        site.set("defaults.public_ip", "dialled");
        let account = "123456789012";
        let arn = |rest: &str| format!("arn:{partition}:ecs:{region}:{account}:{rest}");
        site.set("defaults.cluster", arn("cluster/ci"));
        site.set("defaults.task_definition", arn("task-definition/ci-job:1"));
        let job = site.job_with(reaches_all(&site));
        job.prepare().await.passed();
        let task = site.task_of(&job);
        assert!(task.arn.starts_with(&arn("task/ci/")), "{}", task.arn);
        let core = job.state().expect("a state file")["core"].clone();
        assert_eq!((&core["region"], &core["task"]), (&region.into(), &task.arn.clone().into()));
        let ended = job.run("echo there").await.with_code(0);
        assert_eq!(ended.out(), "there\n");
        job.cleanup().await.passed();
        assert!(site.cloud().requests().iter().all(|request| request.region == region));
        site.close().await;
    }
}
