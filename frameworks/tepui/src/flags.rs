//! What flags may say: durations, addresses, resources, weights, and `file://` for any of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::str::FromStr;
use std::time::Duration;

use allocator::Weight;
use types::{Attributes, ResourceQuantities, Resources, Role};

/// Opens a value that is to be read from a file.
const FILE: &str = "file://";
/// Longest value read from a file, in bytes: a registry of reservations fits, a disk image does not.
const FILE_MAX: u64 = 16 << 20;
/// The commands whose flags are also known with underscores, as Mesos writes them.
const DAEMONS: [&str; 2] = ["master", "agent"];

/// Gives the arguments with the flags of daemons spelled with dashes: `--work_dir=x` is
/// `--work-dir=x`.
pub(crate) fn spelled(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut daemon = false;
    let spell = |argument: OsString| {
        let Some(text) = argument.to_str() else {
            return argument;
        };
        daemon |= DAEMONS.contains(&text);
        let Some(flag) = text.strip_prefix("--").filter(|_| daemon) else {
            return argument;
        };
        match flag.split_once('=') {
            Some((name, value)) => format!("--{}={value}", name.replace('_', "-")).into(),
            None => format!("--{}", flag.replace('_', "-")).into(),
        }
    };
    arguments.into_iter().map(spell).collect()
}

/// A text, or that of a file when it is `file:///path`.
pub(crate) fn text(value: &str) -> Result<String, String> {
    let Some(path) = value.strip_prefix(FILE) else {
        return Ok(value.to_owned());
    };
    let mut content = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut content));
    read.map_err(|error| format!("could not read {path}: {error}"))?;
    Ok(content.trim().to_owned())
}

/// Anything that reads from a text.
fn read<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    text(value)?
        .trim()
        .parse()
        .map_err(|error: T::Err| error.to_string())
}

/// A number, an IP address, a role, or whatever else reads from a text.
pub(crate) fn value<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    read(value)
}

/// A duration as Mesos writes it: `15secs`, `1.5mins`.
pub(crate) fn duration(value: &str) -> Result<Duration, String> {
    types::parse_duration(&text(value)?).map_err(|error| error.to_string())
}

/// Resources, as `cpus:4;mem:1024` or as a JSON array.
pub(crate) fn resources(value: &str) -> Result<Resources, String> {
    let text = text(value)?;
    let resources = if text.trim_start().starts_with('[') {
        Resources::from_json(&text)
    } else {
        text.parse()
    };
    resources.map_err(|error| error.to_string())
}

/// Attributes, as `rack:r1;level:10`.
pub(crate) fn attributes(value: &str) -> Result<Attributes, String> {
    read(value)
}

/// The weights of roles, as `role=2,other=0.5`.
pub(crate) fn weights(value: &str) -> Result<Weights, String> {
    let mut weights = BTreeMap::new();
    let text = text(value)?;
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (role, weight) = pair
            .split_once('=')
            .ok_or_else(|| format!("expected role=weight, found `{pair}`"))?;
        let role: Role = role
            .trim()
            .parse()
            .map_err(|error| format!("`{role}`: {error}"))?;
        let number: f64 = weight
            .trim()
            .parse()
            .map_err(|_| format!("`{weight}` is not a number"))?;
        let weight = Weight::from_f64(number).map_err(|error| error.to_string())?;
        if weights.insert(role, weight).is_some() {
            return Err(format!("the role of `{pair}` is there twice"));
        }
    }
    Ok(Weights(weights))
}

/// The weights of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Weights(pub(crate) BTreeMap<Role, Weight>);

/// The least that is worth offering: any of several, as `cpus:0.01|mem:32`.
pub(crate) fn min_allocatable(value: &str) -> Result<MinAllocatable, String> {
    let text = text(value)?;
    let any_of = text
        .split('|')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let any_of: Result<Vec<ResourceQuantities>, _> = any_of.map(str::parse).collect();
    any_of
        .map(MinAllocatable)
        .map_err(|error| error.to_string())
}

/// The least that is worth offering: any of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MinAllocatable(pub(crate) Vec<ResourceQuantities>);

/// A variable of a task's environment, as `NAME=value`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("expected NAME=value, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_daemons_may_be_spelled_with_underscores() {
        let spell = |words: &[&str]| -> Vec<String> {
            let words = words.iter().map(OsString::from);
            spelled(words)
                .into_iter()
                .map(|word| word.into_string().unwrap())
                .collect()
        };
        assert_eq!(
            spell(&["tepui", "agent", "--work_dir=/a_b", "--no-switch_user"]),
            ["tepui", "agent", "--work-dir=/a_b", "--no-switch-user"]
        );
        assert_eq!(
            spell(&["tepui", "run", "x", "--a_b"]),
            ["tepui", "run", "x", "--a_b"]
        );
    }

    #[test]
    fn a_value_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "15secs\n").unwrap();
        let value = format!("file://{}", file.path().display());
        assert_eq!(duration(&value), Ok(Duration::from_secs(15)));
        assert!(
            duration("file:///no/such/file")
                .unwrap_err()
                .contains("/no/such/file")
        );
    }

    #[test]
    fn weights_are_above_zero_and_each_role_has_one() {
        let read = weights("a=2, b/c=0.5").unwrap();
        let thousandths: Vec<u64> = read.0.into_values().map(Weight::thousandths).collect();
        assert_eq!(thousandths, [2_000, 500]);
        for bad in ["a", "a=0", "a=-1", "a=x", "a=NaN", "a=1,a=2", "/=1"] {
            assert!(weights(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_least_to_offer_is_any_of_several() {
        assert_eq!(min_allocatable("cpus:0.01|mem:32").unwrap().0.len(), 2);
        assert_eq!(min_allocatable("").unwrap(), MinAllocatable::default());
        assert!(min_allocatable("cpus").is_err());
    }

    #[test]
    fn resources_are_text_or_json() {
        let json = r#"[{"name":"cpus","type":"SCALAR","scalar":{"value":2}}]"#;
        assert_eq!(resources(json), resources("cpus:2"));
        assert!(resources("cpus:many").is_err());
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("A").is_err());
        assert!(variable("=b").is_err());
    }
}
