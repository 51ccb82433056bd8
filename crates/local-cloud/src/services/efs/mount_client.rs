//! A client that mounts a file system, as a policy sees it.

/// Who mounts, and how; what conditions are compared with.
#[derive(Clone, Debug, Default)]
pub struct MountClient {
    /// The ARN of the role as which it mounts; `None` for a client that shows no identity.
    pub role_arn: Option<String>,
    /// The number of the role's account.
    pub account: String,
    pub is_encrypted: bool,
    pub access_point_arn: Option<String>,
}

impl MountClient {
    /// Whether it is one of a principal. An account stands for all its roles: what the policies of the roles
    /// themselves say is not evaluated here.
    pub fn is(&self, principal: &str) -> bool {
        let Some(role) = self.role_arn.as_deref() else { return principal == "*" };
        let is_account = principal == self.account
            || principal.ends_with(&format!(":iam::{}:root", self.account));
        principal == "*" || principal == role || is_account
    }
}
