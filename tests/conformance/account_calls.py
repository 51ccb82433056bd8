"""Asks for roles, policies, quotas and log groups through boto3. The roles are those that
tests/tests/local_cloud_api.rs makes: ci-task with its own policy `own` and a managed one."""

IAM_OPERATIONS = {
    "GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies", "GetPolicy",
    "GetPolicyVersion", "SimulatePrincipalPolicy",
}
QUOTA_OPERATIONS = {"GetServiceQuota", "GetAWSDefaultServiceQuota", "ListServiceQuotas"}
LOG_OPERATIONS = {"DescribeLogGroups"}
ROLE = "arn:aws:iam::123456789012:role/ci-task"


def play(iam, quotas, logs, expect, refused, code_of):
    roles(iam, expect, refused)
    simulation(iam, expect, refused)
    values(quotas, expect, refused)
    groups = [one["logGroupName"] for one in
              logs.describe_log_groups(logGroupNamePrefix="/ci")["logGroups"]]
    expect(groups == ["/ci/tasks"], f"log groups: {groups}")
    expect(logs.describe_log_groups(logGroupNamePrefix="/other")["logGroups"] == [], "no group")
    refused("InvalidParameterException", logs.describe_log_groups,
            logGroupNamePrefix="a", logGroupNamePattern="b")


def roles(iam, expect, refused):
    role = iam.get_role(RoleName="ci-task")["Role"]
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    expect(role["Arn"] == ROLE, f"the role: {role}")
    expect(trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}, f"the trust: {trust}")
    names = iam.list_role_policies(RoleName="ci-task")["PolicyNames"]
    expect(names == ["own"], f"its own policies: {names}")
    own = iam.get_role_policy(RoleName="ci-task", PolicyName="own")["PolicyDocument"]
    expect(own["Statement"][0]["Action"] == "s3:GetObject", f"its own policy: {own}")
    attached = iam.list_attached_role_policies(RoleName="ci-task")["AttachedPolicies"]
    expect([one["PolicyName"] for one in attached] == ["logs"], f"attached: {attached}")
    arn = attached[0]["PolicyArn"]
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    expect((policy["PolicyName"], policy["Path"], policy["AttachmentCount"]) == ("logs", "/team/", 1),
           f"the managed policy: {policy}")
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    actions = version["PolicyVersion"]["Document"]["Statement"][0]["Action"]
    expect(actions == ["logs:CreateLogStream", "logs:PutLogEvents"], f"its text: {version}")
    none = "arn:aws:iam::123456789012:policy/none"
    for call, arguments in (
        (iam.get_role, {"RoleName": "none"}),
        (iam.list_role_policies, {"RoleName": "none"}),
        (iam.list_attached_role_policies, {"RoleName": "none"}),
        (iam.get_role_policy, {"RoleName": "ci-task", "PolicyName": "none"}),
        (iam.get_policy, {"PolicyArn": none}),
        (iam.get_policy_version, {"PolicyArn": arn, "VersionId": "v2"}),
    ):
        refused("NoSuchEntityException", call, **arguments)


def simulation(iam, expect, refused):
    told = iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::bucket/key"],
        ContextEntries=[{"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean",
                         "ContextKeyValues": ["true"]}])
    decisions = [one["EvalDecision"] for one in told["EvaluationResults"]]
    expect(decisions == ["allowed", "implicitDeny"], f"decisions: {decisions}")
    refused("NoSuchEntityException", iam.simulate_principal_policy,
            PolicySourceArn="arn:aws:iam::123456789012:role/none", ActionNames=["s3:GetObject"])


def values(quotas, expect, refused):
    for service, code, value in (("fargate", "L-3032A538", 6.0), ("fargate", "L-36FBB829", 6.0),
                                 ("vpc", "L-DF5E4CA3", 5000.0)):
        for call in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
            told = call(ServiceCode=service, QuotaCode=code)["Quota"]
            expect(told["Value"] == value, f"{call.__name__}: {told}")
            refused("NoSuchResourceException", call, ServiceCode=service, QuotaCode="L-00000000")
    listed = quotas.list_service_quotas(ServiceCode="fargate")["Quotas"]
    expect(len(listed) == 2, f"the quotas of Fargate: {listed}")
    refused("NoSuchResourceException", quotas.list_service_quotas, ServiceCode="none")
