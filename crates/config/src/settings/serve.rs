//! `[serve]`: the page and the API of `fargate-runner serve`, and who may use them.

use crate::check::{self, ValueRefusal};
use crate::keyword::{LocalAccess, TokenRole};
use crate::patterns::project_pattern;
use crate::row::{flag, keyword, number, tables, text, texts};
use crate::table::{settings_table, table_field, table_with_defaults};
use crate::value::SettingsTable;

/// Most items of a list. Ours.
const MOST: usize = 100;

settings_table! {
    /// The page and the API of `fargate-runner serve`, and who may use them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ServeSettings {
        /// Address and port that it listens on. At an address that others can reach, callers need `tokens`
        /// or a proxy that signs them in.
        pub listen: String = text(check::listen_address).or_text("127.0.0.1:9253"),
        /// Names of this server that a request may give as its host, beside the addresses of this machine.
        pub allowed_hosts: Vec<String> =
            texts(0, MOST, check::registry).or_empty(),
        /// Other sites whose pages may send requests, such as `https://portal.example.org`.
        pub allowed_origins: Vec<String> = texts(0, MOST, check::site).or_empty(),
        /// Whom somebody on this machine is taken for, without a token: `"viewer"`, `"operator"` or
        /// `"nobody"`. Every user of this machine can connect.
        pub local_access: LocalAccess = keyword::<LocalAccess>().or_text("viewer"),
        /// Whether callers who did not sign in see states and numbers without the names of private projects.
        pub public_view: bool = flag().or_flag(false),
        /// Projects whose names everybody may see: a path, `*` for one part of it, or `**` for the rest.
        pub public_projects: Vec<String> = texts(0, MOST, project_pattern).or_empty(),
        /// Tokens by which programs and people sign in. `fargate-runner serve token` makes one.
        pub tokens: Vec<ServeToken> =
            tables(0, MOST, ServeToken::SECTION, check_tokens).or_empty(),
        /// Addresses of a proxy in front that signs people in, such as `10.0.1.0/24`.
        pub proxy_addresses: Vec<String> = texts(0, MOST, check::address_range).or_empty(),
        /// The header in which that proxy tells who somebody is. It must remove it from what others send.
        pub proxy_user_header: String = text(check::header_name).or_text("x-forwarded-user"),
        /// Who of these people may stop tasks, and pause and resume this host.
        pub proxy_operators: Vec<String> = texts(0, MOST, check::person).or_empty(),
        /// The account's quota of vCPU on demand; the page shows how much of it is used.
        pub vcpu_quota: Option<u32> =
            number(1, 1_000_000).or_absent("the page says that it is not known").example("64"),
        /// The account's quota of vCPU on Spot.
        pub spot_vcpu_quota: Option<u32> =
            number(1, 1_000_000).or_absent("the page says that it is not known").example("64"),
        /// The address at which this host's gitlab-runner tells its own numbers: what `listen_address` of its
        /// config.toml says, and `/metrics`. The page shows them with their age.
        pub gitlab_runner_metrics: Option<String> = text(check::metrics_url)
            .or_absent("the page says that they are not known")
            .example("\"http://127.0.0.1:9252/metrics\""),
        /// Where your runbook has a page for each cause. `{cause}` stands for the name of the cause.
        pub runbook_url: Option<String> = text(check::runbook_url)
            .or_absent("the pages about causes lead nowhere else")
            .example("\"https://wiki.example.org/runbook/{cause}\""),
        /// How many jobs this host runs at one time: `concurrent` of its gitlab-runner.
        pub job_slots: Option<u32> =
            number(1, 100_000).or_absent("what `gitlab_runner_metrics` tells").example("30"),
        /// Most connections at one time.
        pub max_connections: u32 = number(16, 65_536).or_number(12_288),
        /// Most open streams of events; more are refused.
        pub max_streams: u32 = number(1, 65_536).or_number(10_000),
    }
}

table_with_defaults!(ServeSettings);

settings_table! {
    /// A token by which somebody signs in.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ServeToken {
        /// Whose it is; the audit log names it.
        pub name: String = text(check::profile_name).example("\"anna\""),
        /// What it allows: `"viewer"` sees everything, `"operator"` stops tasks and pauses the host as well.
        pub role: TokenRole = keyword::<TokenRole>().or_text("viewer"),
        /// SHA-256 of the token, in hexadecimal digits.
        pub sha256: String = text(check::sha256)
            .example("\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""),
    }
}

table_field!(ServeToken);

/// Every token is right by itself.
fn check_tokens(_: &[SettingsTable]) -> Vec<ValueRefusal> {
    Vec::new()
}
