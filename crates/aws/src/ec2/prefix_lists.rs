//! The prefixes of a prefix list, the account's own or one of AWS.
//!
//! Source: Amazon EC2 API Reference, `GetManagedPrefixListEntries`.

use ipnet::IpNet;
use serde::Deserialize;

use super::ec2_pages::{Ec2Items, Ec2ListAnswer, value_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:GetManagedPrefixListEntries";

impl AwsAccount {
    /// The prefixes of a prefix list.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn prefix_list(&self, id: &str) -> Result<Vec<IpNet>, CallError> {
        let members = [("PrefixListId".to_owned(), id)];
        let found = self.ec2_pages::<PrefixListAnswer>(RIGHT, &members).await?;
        self.ec2_read(RIGHT, found, |it| value_of("the addresses of a prefix list", &it.cidr))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrefixListAnswer {
    #[serde(default)]
    entry_set: Ec2Items<PrefixListMember>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct PrefixListMember {
    #[serde(default)]
    cidr: String,
}

impl Ec2ListAnswer for PrefixListAnswer {
    type Entry = PrefixListMember;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.entry_set.items, self.next_token)
    }
}
