//! The quotas that are known, and their values.
//!
//! Source, for codes, names and defaults: AWS General Reference, "Amazon ECS endpoints and quotas" and "Amazon VPC
//! quotas".

use std::collections::BTreeMap;
use std::sync::Mutex;

/// One quota.
pub struct KnownQuota {
    pub service: &'static str,
    pub service_name: &'static str,
    pub code: &'static str,
    pub name: &'static str,
    /// The value that AWS gives a new account.
    pub default: f64,
}

/// Every quota that is known.
pub const KNOWN: [KnownQuota; 3] = [
    KnownQuota {
        service: "fargate",
        service_name: "AWS Fargate",
        code: "L-3032A538",
        name: "Fargate On-Demand vCPU resource count",
        default: 6.0,
    },
    KnownQuota {
        service: "fargate",
        service_name: "AWS Fargate",
        code: "L-36FBB829",
        name: "Fargate Spot vCPU resource count",
        default: 6.0,
    },
    KnownQuota {
        service: "vpc",
        service_name: "Amazon Virtual Private Cloud (Amazon VPC)",
        code: "L-DF5E4CA3",
        name: "Network interfaces per Region",
        default: 5000.0,
    },
];

/// The values that the account has instead of the defaults, by code.
#[derive(Debug, Default)]
pub(crate) struct QuotaStore(Mutex<BTreeMap<String, f64>>);

impl QuotaStore {
    /// Gives a quota another value.
    pub fn set(&self, code: &str, value: f64) {
        let mut values = self.0.lock().expect("no one panics while holding the quotas");
        values.insert(code.to_owned(), value);
    }

    /// The value that the account has.
    pub fn value(&self, quota: &KnownQuota) -> f64 {
        let values = self.0.lock().expect("no one panics while holding the quotas");
        values.get(quota.code).copied().unwrap_or(quota.default)
    }
}

/// The quota, if it is known.
pub fn find(service: &str, code: &str) -> Option<&'static KnownQuota> {
    KNOWN.iter().find(|quota| quota.service == service && quota.code == code)
}
