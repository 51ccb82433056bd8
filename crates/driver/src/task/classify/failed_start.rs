//! Why a task did not start, from ECS's words.
//!
//! Many reasons begin alike: "unable to pull secrets or registry auth" stands before ECR, Secrets
//! Manager, Systems Manager and KMS. So the words that name the service decide first, then those
//! that say what went wrong. A text that no rule knows has no cause here: nobody is blamed by a
//! guess.
//!
//! Source of the texts: Amazon ECS Developer Guide, "Stopped tasks error codes",
//! "`CannotPullContainer` task errors" and "`ResourceInitializationError`", and messages in public
//! issue trackers.

use fargate_model::cause::FailureCause;

/// The cause of these words of ECS or of a container, if a rule knows them.
pub fn of_failed_start(text: &str) -> Option<FailureCause> {
    let said = LowercaseReason(text.to_lowercase());
    // The specific rules come first.
    let rules = [
        of_role,
        of_key,
        of_environment_file,
        of_log,
        of_mount,
        of_ecr_login,
        of_parameter,
        of_secret,
        of_pull,
        of_interface,
        of_engine,
        of_aws,
    ];
    rules.iter().find_map(|rule| rule(&said))
}

/// A reason in lower case, because AWS writes it with different capitals in different places.
struct LowercaseReason(String);

impl LowercaseReason {
    fn has(&self, any: &[&str]) -> bool {
        any.iter().any(|words| self.0.contains(words))
    }

    fn is_denied(&self) -> bool {
        self.has(&[
            "accessdenied",
            "access denied",
            "not authorized",
            "unauthorized",
            "403 forbidden",
            "status code: 403",
            "status code 403",
        ])
    }

    fn is_unreachable(&self) -> bool {
        self.has(&[
            "i/o timeout",
            "deadline exceeded",
            "timed out",
            "tls handshake timeout",
            "connection issue",
            "context canceled",
            "request canceled",
            "requestcanceled",
            "no such host",
            "connection refused",
            "connection reset",
            "no route to host",
            "network is unreachable",
            "exceeded maximum number of attempts",
            "signal: killed",
        ])
    }

    fn is_missing(&self) -> bool {
        self.has(&[
            "resourcenotfound",
            "parameternotfound",
            "can't find",
            "not found",
            "does not exist",
            "nosuchkey",
            "nosuchbucket",
            "status code: 404",
        ])
    }

    /// The three ways in which a service may fail.
    fn trouble(
        &self,
        denied: FailureCause,
        unreachable: FailureCause,
        missing: FailureCause,
    ) -> Option<FailureCause> {
        if self.is_denied() {
            Some(denied)
        } else if self.is_unreachable() {
            Some(unreachable)
        } else {
            self.is_missing().then_some(missing)
        }
    }
}

fn of_role(said: &LowercaseReason) -> Option<FailureCause> {
    if said
        .has(&["unable to assume the service linked role", "unable to assume the service-linked"])
    {
        return Some(FailureCause::ServiceRoleMissing);
    }
    said.has(&["unable to assume the role"]).then_some(FailureCause::RoleUnassumed)
}

fn of_key(said: &LowercaseReason) -> Option<FailureCause> {
    let is_key = said.has(&["kms:decrypt", "access to kms is not allowed", "ciphertext refers to"]);
    is_key.then_some(FailureCause::KeyDenied)
}

fn of_environment_file(said: &LowercaseReason) -> Option<FailureCause> {
    if !said.has(&["env file", "environment file", "envfile"]) {
        return None;
    }
    said.trouble(
        FailureCause::EnvFileDenied,
        FailureCause::EnvFileUnreachable,
        FailureCause::EnvFileMissing,
    )
}

fn of_log(said: &LowercaseReason) -> Option<FailureCause> {
    let is_log =
        said.has(&["logger args", "logging driver", "log driver", "log group", "log stream"]);
    if !is_log {
        return None;
    }
    let of_group = said.has(&["log group", "log stream", "cloudwatch", "awslogs"]);
    let known =
        said.trouble(FailureCause::LogDenied, FailureCause::LogUnreachable, FailureCause::LogGroup);
    known.filter(|_| of_group).or(Some(FailureCause::LogDriver))
}

fn of_mount(said: &LowercaseReason) -> Option<FailureCause> {
    if !said.has(&["efs utils", "efs volume", "mount.nfs4", "mount attempt", ".efs."]) {
        return None;
    }
    if said.has(&["failed to resolve", "no mount target"]) {
        Some(FailureCause::EfsName)
    } else if said.is_denied() {
        Some(FailureCause::EfsDenied)
    } else if said.has(&["no such file or directory"]) || said.is_missing() {
        Some(FailureCause::EfsPath)
    } else {
        let blocked = said.has(&["due to timeout", "mount system call failed"]);
        (blocked || said.is_unreachable()).then_some(FailureCause::EfsBlocked)
    }
}

fn of_ecr_login(said: &LowercaseReason) -> Option<FailureCause> {
    let is_login = said.has(&[
        "ecr registry auth",
        "auth from amazon ecr",
        "getauthorizationtoken",
        "//api.ecr",
    ]);
    if !is_login {
        return None;
    }
    if said.is_denied() {
        return Some(FailureCause::EcrDenied);
    }
    said.is_unreachable().then_some(FailureCause::EcrUnreachable)
}

fn of_parameter(said: &LowercaseReason) -> Option<FailureCause> {
    let is_parameter = said.has(&[
        "from ssm",
        "ssm:getparameter",
        "invalid parameters:",
        "invalid ssm parameters",
        "systems manager",
        "parameter store",
        "//ssm.",
    ]);
    if !is_parameter {
        return None;
    }
    if said.has(&["invalid parameters:", "invalid ssm parameters"]) {
        return Some(FailureCause::ParameterMissing);
    }
    let (denied, unreachable) = (FailureCause::ParameterDenied, FailureCause::ParameterUnreachable);
    said.trouble(denied, unreachable, FailureCause::ParameterMissing)
}

fn of_secret(said: &LowercaseReason) -> Option<FailureCause> {
    if said.has(&["from asm", "secrets manager", "secretsmanager", "fetch secret"]) {
        if said.has(&[
            "did not contain json key",
            "invalid character",
            "unmarshal",
            "unexpected end of json",
        ]) {
            return Some(FailureCause::SecretShape);
        }
        if said.has(&["marked for deletion", "scheduled for deletion"]) {
            return Some(FailureCause::SecretDeleted);
        }
        let (denied, unreachable) = (FailureCause::SecretDenied, FailureCause::SecretUnreachable);
        return said.trouble(denied, unreachable, FailureCause::SecretMissing);
    }
    // Nothing answered, whether for a login or for a secret.
    let any = said.has(&["unable to pull secrets or registry auth"]) && said.is_unreachable();
    any.then_some(FailureCause::StartUnreachable)
}

fn of_pull(said: &LowercaseReason) -> Option<FailureCause> {
    let is_pull =
        said.has(&["cannotpull", "pull image manifest", "unable to pull image", "image pull"]);
    if !is_pull {
        return None;
    }
    let of_ecr = said.has(&[".dkr.ecr.", ".dkr-ecr."]);
    let of_aws = of_ecr || said.has(&[".s3.", "s3.amazonaws", "starport-layer-bucket"]);
    let of_layer = said.has(&["failed to copy", "httpreaderseeker", "httpreadseeker"]);
    let cause = if said.has(&["toomanyrequests", "too many requests", "pull rate limit"]) {
        FailureCause::RegistryLimit
    } else if said.has(&["manifest unknown"]) {
        // Before the status of the proxy that passed it on.
        FailureCause::ImageNotFound
    } else if said.has(&[
        "descriptor matching platform",
        "no matching manifest",
        "no match for platform",
    ]) {
        FailureCause::ImageArch
    } else if said.has(&["no space left"]) {
        FailureCause::ImageDisk
    } else if said.has(&["x509:", "certificate signed by unknown authority"]) {
        FailureCause::RegistryUntrusted
    } else if of_layer && (of_aws || !said.has(&["https://"])) {
        // Layers of ECR images are in S3, which is reached on another way.
        FailureCause::RegistryBlob
    } else if said.is_denied() || is_refused_login(said) {
        FailureCause::ImageDenied
    } else if is_error_of_server(said) {
        FailureCause::RegistryFailed
    } else if said.is_unreachable() {
        if of_ecr { FailureCause::EcrUnreachable } else { FailureCause::RegistryNoRoute }
    } else if said.is_missing() || said.has(&["404 not"]) {
        FailureCause::ImageNotFound
    } else {
        return None;
    };
    Some(cause)
}

fn is_refused_login(said: &LowercaseReason) -> bool {
    said.has(&[
        "pull access denied",
        "denied:",
        "access forbidden",
        "authorization failed",
        "no basic auth",
        "status code 401",
        "status code: 401",
        "docker login",
    ])
}

fn is_error_of_server(said: &LowercaseReason) -> bool {
    said.has(&[
        "internal server error",
        "bad gateway",
        "service unavailable",
        "gateway time",
        "status code 50",
        "status code: 50",
        ": 500 ",
        ": 502 ",
        ": 503 ",
        ": 504 ",
    ])
}

fn of_interface(said: &LowercaseReason) -> Option<FailureCause> {
    if said.has(&["insufficientfreeaddresses"]) {
        return Some(FailureCause::SubnetFull);
    }
    if !said.has(&["network interface"]) {
        return None;
    }
    let passes =
        ["timeout waiting", "rate limit exceeded", "requestlimitexceeded", "internalerror"];
    if said.has(&["networkinterfacelimitexceeded"]) {
        Some(FailureCause::InterfaceQuota)
    } else if said.has(&passes) || said.has(&["unavailable"]) {
        Some(FailureCause::EniTimeout)
    } else {
        said.has(&["ec2 error", "create network interface"])
            .then_some(FailureCause::InterfaceRefused)
    }
}

fn of_engine(said: &LowercaseReason) -> Option<FailureCause> {
    let slow = ["dockertimeouterror", "containerruntimetimeouterror", "could not transition to"];
    if said.has(&slow) {
        return Some(FailureCause::ContainerSlow);
    }
    if said.has(&["cannotcreatevolume"]) {
        return Some(FailureCause::VolumeFailed);
    }
    let start = [
        "cannotstartcontainer",
        "cannotcreatecontainer",
        "cannotinspectcontainer",
        "containerruntimeerror",
        "oci runtime",
        "container runtime task",
    ];
    said.has(&start).then_some(FailureCause::ContainerStart)
}

fn of_aws(said: &LowercaseReason) -> Option<FailureCause> {
    if said.has(&["capacity is unavailable"]) {
        return Some(FailureCause::NoCapacity);
    }
    if said.has(&["limit on the number of vcpus"]) {
        return Some(FailureCause::QuotaVcpu);
    }
    said.has(&["ephemeralstorage provisioning", "internalerror"])
        .then_some(FailureCause::AwsInternal)
}
