//! All known reasons for which ECS ended a task before it ran, each with its cause and with what
//! follows: a wait, a few more tasks, or nothing. It is a table for tests; the rules are in
//! `failed_start`.
//!
//! Source: Amazon ECS Developer Guide, "Stopped tasks error codes", "`CannotPullContainer` task
//! errors", "`ResourceInitializationError`"; Amazon ECS API Reference; public issue trackers.

use super::*;
use fargate_model::cause::RetryDecision::{self, Final, Retry, Wait};

const SECRETS: &str = "ResourceInitializationError: unable to pull secrets or registry auth: ";
const RETRIEVAL: &str = "ResourceInitializationError: unable to pull secrets or registry auth: execution \
                         resource retrieval failed: ";
const PULL: &str = "CannotPullContainerError: pull image manifest has been retried 5 time(s): ";
const EFS: &str = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS \
                   volumes: stderr: ";
const EC2: &str = "Unexpected EC2 error while attempting to Create Network Interface with public IP \
                   assignment disabled in subnet 'subnet-0a1': ";
const LOGGER: &str = "ResourceInitializationError: failed to validate logger args: ";

/// The beginning of the reason, the rest of it, the slug of the cause, and what follows.
type KnownStopReason = (&'static str, &'static str, &'static str, RetryDecision);

const IMAGE: &[KnownStopReason] = &[
    (PULL, "failed to resolve ref docker.io/acme/ci:x: not found", "image-not-found", Final),
    (
        PULL,
        "failed to resolve ref r.example/a:1: unexpected status from HEAD request to https://r.example/v2/a/manifests/1: 404 Not Found",
        "image-not-found",
        Final,
    ),
    (
        "ResourceInitializationError: ",
        "unable to pull image or start container: 500 Server Error: Internal Server Error (\"manifest unknown\")",
        "image-not-found",
        Final,
    ),
    (
        "CannotPullContainerError: ",
        "image Manifest does not contain descriptor matching platform 'linux/amd64'",
        "image-arch",
        Final,
    ),
    (
        "CannotPullContainerError: ",
        "inspect image has been retried 1 time(s): no matching manifest for linux/arm64/v8 in the manifest list entries",
        "image-arch",
        Final,
    ),
    (
        "CannotPullContainerError: ",
        "pull access denied for acme/ci, repository does not exist or may require 'docker login'",
        "image-denied",
        Final,
    ),
    (
        PULL,
        "failed to resolve ref registry.gitlab.com/acme/ci:1: pull access denied: denied: access forbidden",
        "image-denied",
        Final,
    ),
    (
        PULL,
        "failed to resolve ref r.example/a:1: unexpected status from HEAD request to https://r.example/v2/a/manifests/1: 401 Unauthorized",
        "image-denied",
        Final,
    ),
    (
        PULL,
        "failed to resolve ref 1.dkr.ecr.eu-west-1.amazonaws.com/a:1: pulling from host 1.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests 1]: 403 Forbidden",
        "image-denied",
        Final,
    ),
    ("CannotPullContainerError: ", "write /x: no space left on device", "image-disk", Final),
    (
        "CannotPullContainerError: ",
        "failed to do request: Head \"https://r.internal/v2/\": x509: certificate signed by unknown authority",
        "registry-untrusted",
        Final,
    ),
];

const REGISTRY: &[KnownStopReason] = &[
    (
        "CannotPullContainerError: ",
        "toomanyrequests: You have reached your pull rate limit",
        "registry-limit",
        Wait,
    ),
    (
        "CannotPullContainerError: ",
        "inspect image has been retried 5 time(s): httpReaderSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/alpine/manifests/3: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit",
        "registry-limit",
        Wait,
    ),
    ("CannotPullContainerError: ", "toomanyrequests: Rate exceeded", "registry-limit", Wait),
    (
        "CannotPullContainerError: ",
        "failed to do request: Head \"https://registry-1.docker.io/v2/acme/ci/manifests/x\": dial tcp 1.2.3.4:443: i/o timeout",
        "registry-no-route",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "Error response from daemon: Get https://registry-1.docker.io/v2/: net/http: request canceled while waiting for connection",
        "registry-no-route",
        Retry,
    ),
    ("CannotPullContainerError: ", "context canceled", "registry-no-route", Retry),
    (
        "CannotPullContainerError: ",
        "failed to do request: Head \"https://r.internal/v2/\": dial tcp: lookup r.internal: no such host",
        "registry-no-route",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "ref 140312345678.dkr.ecr.eu-west-1.amazonaws.com/x: dial tcp: i/o timeout",
        "ecr-unreachable",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "failed to copy: httpReaderSeeker: failed open: unexpected status code",
        "registry-blob",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a: 403 Forbidden",
        "registry-blob",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a\": dial tcp 3.5.1.1:443: i/o timeout",
        "registry-blob",
        Retry,
    ),
    ("CannotPullContainerError: ", "503 Service Unavailable", "registry-failed", Retry),
    (
        PULL,
        "failed to resolve ref registry.gitlab.com/acme/ci:1: unexpected status from HEAD request to https://registry.gitlab.com/v2/acme/ci/manifests/1: 504 Gateway Timeout",
        "registry-failed",
        Retry,
    ),
    (
        "CannotPullContainerError: ",
        "ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.gitlab.com/v2/acme/ci/blobs/sha256:1: 504 Gateway Time-out",
        "registry-failed",
        Retry,
    ),
];

const SECRET: &[KnownStopReason] = &[
    (
        SECRETS,
        "unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration. failed to fetch secret arn:x from secrets manager: operation error Secrets Manager: GetSecretValue, context deadline exceeded",
        "secret-unreachable",
        Retry,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:1:secret:a from secrets manager: AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/1 is not authorized to perform: secretsmanager:GetSecretValue",
        "secret-denied",
        Final,
    ),
    (
        SECRETS,
        "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
        "secret-missing",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to get registry auth from asm: failed to fetch secret arn:x from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        "secret-missing",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key token",
        "secret-shape",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): invalid character 'x' looking for beginning of value",
        "secret-shape",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): unexpected end of JSON input",
        "secret-shape",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:x from secrets manager: InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion.",
        "secret-deleted",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: failed to fetch secret arn:x from secrets manager: AccessDeniedException: Access to KMS is not allowed",
        "key-denied",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:1:key/1",
        "key-denied",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: /ci/token",
        "parameter-missing",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/1 is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:eu-west-1:1:parameter/ci/token",
        "parameter-denied",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded",
        "parameter-unreachable",
        Retry,
    ),
    (
        SECRETS,
        "The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://api.ecr.eu-west-1.amazonaws.com/\": dial tcp 1.2.3.4:443: i/o timeout",
        "ecr-unreachable",
        Retry,
    ),
    (
        RETRIEVAL,
        "unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post \"https://api.ecr.us-east-2.amazonaws.com/\": dial tcp 1.2.3.4:443: i/o timeout. Please check your task network configuration.",
        "ecr-unreachable",
        Retry,
    ),
    (
        RETRIEVAL,
        "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/1 is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action",
        "ecr-denied",
        Final,
    ),
    (SECRETS, "pull command failed: : signal: killed", "start-unreachable", Retry),
];

const AROUND: &[KnownStopReason] = &[
    (
        "ResourceInitializationError: ",
        "failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
        "log-group",
        Final,
    ),
    (
        LOGGER,
        "create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
        "log-group",
        Final,
    ),
    (
        LOGGER,
        "create stream has been retried 1 times: failed to create Cloudwatch log stream: AccessDeniedException: User: x is not authorized to perform: logs:CreateLogStream on resource: y: exit status 1",
        "log-denied",
        Final,
    ),
    (
        LOGGER,
        "The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed",
        "log-unreachable",
        Retry,
    ),
    (
        "ResourceInitializationError: ",
        "failed to initialize logging driver: splunk: splunk-token is expected",
        "log-driver",
        Final,
    ),
    (
        "ResourceInitializationError: ",
        "failed to download env files: file download command: non empty error stream: RequestCanceled: request context canceled caused by: context deadline exceeded",
        "env-file-unreachable",
        Retry,
    ),
    (
        "ResourceInitializationError: ",
        "failed to download env files: file download command: non empty error stream: AccessDenied: Access Denied status code: 403, request id: 1",
        "env-file-denied",
        Final,
    ),
    (
        "ResourceInitializationError: ",
        "failed to download env files: file download command: non empty error stream: NoSuchKey: The specified key does not exist.",
        "env-file-missing",
        Final,
    ),
    (
        EFS,
        "Failed to resolve \"fs-0abc.efs.eu-west-1.amazonaws.com\" - check that your file system ID is correct",
        "efs-name",
        Final,
    ),
    (
        EFS,
        "b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution; code: 32",
        "efs-blocked",
        Final,
    ),
    (
        EFS,
        "Mount attempt 1/3 failed due to timeout after 15 sec, wait 0 sec before next attempt.",
        "efs-blocked",
        Final,
    ),
    (EFS, "b'mount.nfs4: mount system call failed'", "efs-blocked", Final),
    (
        EFS,
        "b'mount.nfs4: access denied by server while mounting 127.0.0.1:/path'",
        "efs-denied",
        Final,
    ),
    (
        EFS,
        "mount.nfs4: mounting fs-0abc:/dir failed, reason given by server: No such file or directory",
        "efs-path",
        Final,
    ),
    (EC2, "InsufficientFreeAddressesInSubnet", "subnet-full", Wait),
    (EC2, "NetworkInterfaceLimitExceeded", "interface-quota", Wait),
    (EC2, "InvalidSubnetID.NotFound", "interface-refused", Final),
    (EC2, "UnauthorizedOperation", "interface-refused", Final),
    (EC2, "InternalError", "eni-timeout", Retry),
    ("", "Timeout waiting for network interface provisioning to complete.", "eni-timeout", Retry),
    (
        "",
        "Rate limit exceeded while preparing network interface to be attached to instance",
        "eni-timeout",
        Retry,
    ),
    ("", "Timeout waiting for EphemeralStorage provisioning to complete.", "aws-internal", Retry),
    ("", "InternalError: the host went away", "aws-internal", Retry),
    (
        "",
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "no-capacity",
        Wait,
    ),
    (
        "",
        "You've reached the limit on the number of vCPUs you can run concurrently",
        "quota-vcpu",
        Wait,
    ),
    (
        "",
        "ECS was unable to assume the role 'arn:aws:iam::1:role/ci-task' that was provided for this task. Please verify that the role being passed has the proper trust relationship",
        "role-unassumed",
        Retry,
    ),
    (
        "",
        "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: starting container process caused: exec: \"/run.sh\": stat /run.sh: no such file or directory",
        "container-start",
        Final,
    ),
    ("", "CannotStartContainerError: exec format error", "container-start", Final),
    ("", "CannotInspectContainerError: gone", "container-start", Final),
    ("", "CannotCreateVolumeError: mount failed", "volume-failed", Final),
    (
        "",
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: x",
        "container-slow",
        Retry,
    ),
    (
        "",
        "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s",
        "container-slow",
        Retry,
    ),
];

/// Beginnings that several reasons share, without the part that decides; and texts that nobody has
/// seen.
const UNRECOGNISED: &[KnownStopReason] = &[
    (SECRETS, "", "unknown", Final),
    (
        RETRIEVAL,
        "unable to retrieve secrets from ssm: service call has been retried 1 time...",
        "unknown",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve secret from asm: service call has been retried 1 time(s): ...",
        "unknown",
        Final,
    ),
    (
        RETRIEVAL,
        "unable to retrieve ecr registry auth: service call has been retried 1 time(s): ...",
        "unknown",
        Final,
    ),
    ("ResourceInitializationError: ", "", "unknown", Final),
    (EFS, "", "unknown", Final),
    (PULL, "", "unknown", Final),
    ("", "something new", "unknown", Final),
    ("", "", "unknown", Final),
];

#[test]
fn each_reason_that_ecs_is_known_to_give_has_its_own_cause() {
    let failed = StopCode::TaskFailedToStart;
    for rows in [IMAGE, REGISTRY, SECRET, AROUND, UNRECOGNISED] {
        for (before, rest, slug, next) in rows {
            let reason = format!("{before}{rest}");
            // AWS writes them with other capitals elsewhere.
            for said in [reason.clone(), reason.to_lowercase()] {
                let own = String::new();
                let end = TaskEnd {
                    code: Some(&failed),
                    reason: &said,
                    all: &said,
                    own,
                    exit: None,
                    is_alone: true,
                };
                let entry = of_stop(&end).entry();
                assert_eq!((entry.slug, entry.next), (*slug, *next), "{said}");
            }
        }
    }
}
