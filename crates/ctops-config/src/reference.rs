//! The settings reference and the example environment file, generated from a registry.

use std::fmt::Write;

use crate::{Registry, Setting};

impl Registry {
    /// `docs/reference/settings.md`.
    pub fn reference(&self, program: &str) -> String {
        let mut out = format!(
            "# Settings of {program}\n\nGenerated from the program; do not edit. Every setting is an environment variable. \
             An empty variable counts as unset. A secret can also be given as a file: set `<NAME>_FILE` to its path.\n\n\
             Check them with `{program} config check`, see them with `{program} config print`.\n"
        );
        for setting in self.settings {
            let _infallible =
                write!(out, "\n## `{}`\n\n{}\n\n{}\n", setting.env, setting.about, facts(setting));
        }
        out
    }

    /// `deploy/.env.example`: every setting, commented out, with its default.
    pub fn example(&self) -> String {
        let mut out = String::from("# Every setting with its default. Remove the leading # to change one.\n");
        for setting in self.settings {
            let default = setting.default.unwrap_or_default();
            let _infallible = write!(out, "\n# {}\n#{}={default}\n", setting.about, setting.env);
        }
        out
    }
}

fn facts(setting: &Setting) -> String {
    let mut facts = vec![format!("Type: {}.", setting.kind.describe())];
    facts.push(match setting.default {
        Some(default) => format!("Default: `{default}`."),
        None => "Default: unset.".to_owned(),
    });
    if !setting.aliases.is_empty() {
        let names: Vec<String> = setting.aliases.iter().map(|name| format!("`{name}`")).collect();
        facts.push(format!("Also read from {}.", names.join(", ")));
    }
    if setting.secret {
        facts.push("Secret.".to_owned());
    }
    facts.push(format!("Since {}.", setting.since));
    facts.join(" ")
}
