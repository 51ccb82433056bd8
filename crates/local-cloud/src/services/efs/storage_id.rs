//! Ids and ARNs of EFS: what a request names, and what a new resource is called.

use fargate_model::region::AwsPartition;

use super::errors;
use crate::account::ACCOUNT;
use crate::random_id;
use crate::wire::exception::ServiceException;

/// Hexadecimal digits of an id. Source: the pattern in the model of EFS; new ids have 17.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=40;
const NEW_DIGITS: usize = 17;

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    FileSystem,
    AccessPoint,
    MountTarget,
}

impl StorageKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::FileSystem => "fs-",
            Self::AccessPoint => "fsap-",
            Self::MountTarget => "fsmt-",
        }
    }

    /// How an ARN names it.
    fn word(self) -> &'static str {
        match self {
            Self::FileSystem => "file-system",
            Self::AccessPoint => "access-point",
            Self::MountTarget => "mount-target",
        }
    }

    /// A new id.
    pub fn draw(self) -> String {
        format!("{}{}", self.prefix(), random_id::hex_digits(NEW_DIGITS))
    }

    /// The ARN of the resource with this id.
    pub fn arn(self, region: &str, id: &str) -> String {
        format!("{}{id}", self.arn_prefix(region))
    }

    /// The id in `given`, which is an id or an ARN of this Region; `None` for anything else.
    pub fn id_in(self, region: &str, given: &str) -> Option<String> {
        let id = match self {
            // A mount target has no ARN.
            Self::MountTarget => given,
            _ => given.strip_prefix(&self.arn_prefix(region)).unwrap_or(given),
        };
        let digits = id.strip_prefix(self.prefix())?;
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (DIGITS.contains(&digits.len()) && digits.bytes().all(is_hex)).then(|| id.to_owned())
    }

    /// The id that a request must give in the member `name`.
    pub fn required(
        self,
        region: &str,
        given: Option<&String>,
        name: &str,
    ) -> Result<String, ServiceException> {
        let given = given.map(String::as_str).unwrap_or_default();
        let wrong = || {
            let digits = DIGITS;
            errors::bad_request(format!(
                "invalid {name} '{given}': it must be {} and {} to {} hexadecimal digits.",
                self.prefix(),
                digits.start(),
                digits.end()
            ))
        };
        self.id_in(region, given).ok_or_else(wrong)
    }

    fn arn_prefix(self, region: &str) -> String {
        let partition = AwsPartition::of(region).name();
        format!("arn:{partition}:elasticfilesystem:{region}:{ACCOUNT}:{}/", self.word())
    }
}
