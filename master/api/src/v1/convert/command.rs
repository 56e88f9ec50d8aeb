//! Commands, and how tasks are killed.

use super::{At, Unfit};
use crate::v1::{CommandInfo, Environment, KillPolicy, Uri, Variable, VariableType};

impl From<&types::CommandInfo> for CommandInfo {
    fn from(command: &types::CommandInfo) -> Self {
        let variables = command.environment.0.iter().map(|(name, value)| Variable {
            name: name.clone(),
            value: Some(value.clone()),
            ..Variable::default()
        });
        let uris = command.uris.iter().map(|uri| Uri {
            value: uri.value.clone(),
            executable: Some(uri.executable),
            extract: uri.extract,
            cache: Some(uri.cache),
            output_file: uri.output_file.clone(),
        });
        Self {
            uris: uris.collect(),
            environment: (!command.environment.0.is_empty()).then(|| Environment {
                variables: variables.collect(),
            }),
            shell: command.shell,
            value: super::text(&command.value),
            arguments: command.arguments.clone(),
            user: command.user.clone(),
        }
    }
}

impl TryFrom<CommandInfo> for types::CommandInfo {
    type Error = Unfit;

    fn try_from(message: CommandInfo) -> Result<Self, Unfit> {
        let uris = message.uris.into_iter().map(|uri| types::Uri {
            value: uri.value,
            executable: uri.executable.unwrap_or_default(),
            extract: uri.extract,
            cache: uri.cache.unwrap_or_default(),
            output_file: uri.output_file,
        });
        Ok(Self {
            shell: message.shell,
            value: message.value.unwrap_or_default(),
            arguments: message.arguments,
            environment: message
                .environment
                .unwrap_or_default()
                .try_into()
                .at("environment")?,
            user: message.user,
            uris: uris.collect(),
        })
    }
}

impl TryFrom<Environment> for types::Environment {
    type Error = Unfit;

    fn try_from(message: Environment) -> Result<Self, Unfit> {
        let variables = super::all(message.variables, |variable| match variable.kind {
            VariableType::Value | VariableType::Unknown if variable.secret.is_none() => {
                Ok((variable.name, variable.value.unwrap_or_default()))
            }
            VariableType::Value | VariableType::Unknown | VariableType::Secret => {
                Err(Unfit::new("secret", "secrets are not known here"))
            }
        });
        Ok(types::Environment(
            variables.at("variables")?.into_iter().collect(),
        ))
    }
}

impl From<&types::KillPolicy> for KillPolicy {
    fn from(policy: &types::KillPolicy) -> Self {
        Self {
            grace_period: Some(policy.grace_period.into()),
        }
    }
}

/// How a task is killed; nothing when the message says nothing.
pub(super) fn kill_policy(message: Option<KillPolicy>) -> Result<Option<types::KillPolicy>, Unfit> {
    let grace_period = message.and_then(|policy| policy.grace_period);
    let grace_period = super::optional(grace_period, "kill_policy.grace_period")?;
    Ok(grace_period.map(|grace_period| types::KillPolicy { grace_period }))
}
