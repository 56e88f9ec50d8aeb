//! The text of resources: `cpus:4;mem(role):1024;ports:[31000-32000];disks:{a,b}`.

use std::str::FromStr;

use crate::resources::MAX_RESOURCES;
use crate::{ParseError, Reservation, Resource, ResourceName, Resources, Role, Value};

/// Parsing reads no more than this.
const MAX_TEXT_BYTES: usize = 1 << 20;

impl Resources {
    /// Reads resources from text, reserving to `role` what names no role.
    ///
    /// Resources of one description add up. A role in parentheses is a static reservation.
    ///
    /// # Errors
    ///
    /// Fails when the text is too long, has another form, or tells of impossible resources.
    pub fn parse(text: &str, role: &Role) -> Result<Resources, ParseError> {
        ParseError::limit(text, MAX_TEXT_BYTES)?;
        let mut resources = Vec::new();
        if text.trim() == "{}" {
            return Ok(Resources::new());
        }
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if resources.len() == MAX_RESOURCES {
                return Err(ParseError::TooMany { max: MAX_RESOURCES });
            }
            resources.push(resource(part, role)?);
        }
        Ok(Resources::try_from(resources)?)
    }
}

impl FromStr for Resources {
    type Err = ParseError;

    /// Reads resources from text; what names no role is for everybody.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, &Role::any())
    }
}

fn resource(text: &str, default_role: &Role) -> Result<Resource, ParseError> {
    let wrong = || ParseError::expected("name:value or name(role):value", text);
    let open = text.find(['(', ':']).ok_or_else(wrong)?;
    let (name, rest) = (text[..open].trim(), &text[open..]);
    let (role, value) = match rest.strip_prefix('(') {
        Some(rest) => {
            let (role, value) = rest.split_once("):").ok_or_else(wrong)?;
            (role.trim().parse()?, value)
        }
        None => (default_role.clone(), &rest[1..]),
    };
    let mut resource = Resource::new(ResourceName::new(name)?, self::value(value.trim())?);
    if !role.is_any() {
        resource.reservations.push(Reservation::fixed(role));
    }
    Ok(resource)
}

/// Reads a value, whose first character tells its type.
pub(crate) fn value(text: &str) -> Result<Value, ParseError> {
    Ok(match text.as_bytes().first() {
        Some(b'[') => Value::Ranges(text.parse()?),
        Some(b'{') => Value::Set(text.parse()?),
        _ => Value::Scalar(text.parse()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn resources_are_read_from_text() {
        let text = "cpus:4;mem(role):1024; ports:[31000-32000] ;disks:{b,a};;cpus:0.5";
        let resources: Resources = text.parse().unwrap();
        assert_eq!(
            resources.to_string(),
            "cpus:4.5; mem(role):1024; ports:[31000-32000]; disks:{a,b}"
        );
        assert_eq!(resources.total_cpus(), Scalar::from_thousandths(4500));
    }

    #[test]
    fn the_default_role_is_for_what_names_none() {
        let role = Role::new("db").unwrap();
        let resources = Resources::parse("cpus:4;mem(*):5;disk(web):1", &role).unwrap();
        assert_eq!(resources.to_string(), "cpus(db):4; mem:5; disk(web):1");
    }

    #[test]
    fn a_bad_text_is_an_error() {
        let bad = [
            "cpus",
            "cpus:",
            "cpus:a",
            ":4",
            "cpus:-1",
            "cpus:nan",
            "cpus:inf",
            "cpus:1e99",
            "ports:4",
            "cpus:[1-2]",
            "cpus(:4",
            "cpus(a:4",
            "cpus(-a):4",
            "cpus()4",
            "gpus:0.5",
            "a b:4",
            "disks:{a",
            "ports:[1-",
            "cpus(a)b:1",
            "cpus:[1-2];mem",
        ];
        for text in bad {
            assert!(text.parse::<Resources>().is_err(), "{text}");
        }
        assert!("x".repeat(MAX_TEXT_BYTES + 1).parse::<Resources>().is_err());
    }

    #[test]
    fn no_text_is_no_resources() {
        assert!("".parse::<Resources>().unwrap().is_empty());
        assert!("{}".parse::<Resources>().unwrap().is_empty());
        assert!("cpus:0".parse::<Resources>().unwrap().is_empty());
    }
}
