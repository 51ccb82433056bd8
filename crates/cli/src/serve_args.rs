//! The arguments of `serve`.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};

/// `serve`.
#[derive(Debug, Args)]
pub struct StatusServeArgs {
    /// Listen at this address, whatever the configuration file says; with port 0 any free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Say on each page that the jobs run in the local cloud
    #[arg(long, hide = true)]
    pub demo: bool,
    #[command(subcommand)]
    pub action: Option<ServeAction>,
}

/// What to do instead.
#[derive(Debug, Subcommand)]
pub enum ServeAction {
    /// Make a token by which somebody signs in, and print what belongs into the configuration file
    Token(TokenArgs),
}

/// `serve token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Whose token it is; the audit log names it
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What it allows
    #[arg(long, value_enum, default_value_t = RoleChoice::Viewer)]
    pub role: RoleChoice,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleChoice {
    /// See everything
    Viewer,
    /// Stop tasks, and pause and resume the host as well
    Operator,
}

impl RoleChoice {
    /// The word of the configuration file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}
