//! What plugins are set to: `astros secrets` and `astros settings`.

use clap::Subcommand;

use super::NAME;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Secrets {
    /// Keep a secret: in the system's keyring where there is one, else in a file of yours alone
    #[command(after_help = "Examples:
  astros secrets set weather api_key          asks for it, and does not show it
  pass weather | astros secrets set weather api_key")]
    Set {
        #[arg(help = NAME)]
        plugin: String,
        /// The setting
        key: String,
    },
    /// Name the secrets that are kept, and where; never what they are
    List,
    /// Forget a secret
    Remove {
        #[arg(help = NAME)]
        plugin: String,
        /// The setting
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Settings {
    /// Show the settings of a plugin, or of all, and where each comes from
    Show {
        #[arg(help = NAME)]
        name: Option<String>,
    },
    /// Set one; it is kept, and a plugin that runs gets it at once
    #[command(after_help = "Examples:
  astros settings set weather city Oslo
  astros settings set backup exclude 'target, node_modules'
  astros settings set backup largest 100MB")]
    Set {
        #[arg(help = NAME)]
        name: String,
        /// The setting
        key: String,
        /// As its schema has it: text, a number, `true`, words with commas between them, JSON
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Forget what `set` set
    Unset {
        #[arg(help = NAME)]
        name: String,
        /// The setting
        key: String,
    },
    /// Hold all that is set against the schemas; exit code 2 where something does not fit
    Check {
        #[arg(help = NAME)]
        name: Option<String>,
    },
}
