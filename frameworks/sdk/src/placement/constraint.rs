//! Constraints: what must hold of the agent a task runs on, and of those its siblings run on.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use types::Offer;

/// The field that is the name of an agent's machine; any other is one of its attributes.
const HOSTNAME: &str = "hostname";
/// Longest field or value, in bytes.
const TEXT_MAX: usize = 1_024;
/// Largest compiled pattern, in bytes.
const PATTERN_MAX: usize = 1 << 20;

/// A constraint, as `FIELD:OPERATOR[:VALUE]`: `hostname:UNIQUE`, `rack:GROUP_BY:3`,
/// `zone:LIKE:eu-.*`. The words are Marathon's.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    field: String,
    operator: Operator,
    value: Option<String>,
    pattern: Option<Regex>,
}

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// No two tasks where the field is the same.
    Unique,
    /// All tasks where the field is the same: this value, or whatever the first one got.
    Cluster,
    /// As many tasks for each value of the field, over at least so many values.
    GroupBy(Option<NonZero<u32>>),
    /// The whole field matches this pattern.
    Like,
    /// It does not match, or is not there.
    Unlike,
    /// At most so many tasks where the field is the same.
    MaxPer(NonZero<u32>),
    /// The field has this value.
    Is,
}

/// Why a text is no constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadConstraint {
    /// It has another form.
    #[error(
        "expected FIELD:OPERATOR or FIELD:OPERATOR:VALUE, such as rack:GROUP_BY:3, found {0:?}"
    )]
    Form(String),
    /// There is no such operator.
    #[error("{0:?} is none of UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER and IS")]
    Operator(String),
    /// The operator wants another value.
    #[error("{operator} wants {wants}")]
    Value {
        /// The operator.
        operator: String,
        /// What it wants.
        wants: &'static str,
    },
    /// The pattern is none.
    #[error("{0:?} is not a regular expression, or too large a one")]
    Pattern(String),
    /// The field or the value is too long.
    #[error("a field or a value has at most {TEXT_MAX} bytes")]
    TooLong,
}

impl Constraint {
    /// A constraint of a field.
    ///
    /// # Errors
    /// When the operator is none, or wants another value.
    pub fn new(
        field: &str,
        operator: &str,
        value: Option<&str>,
    ) -> Result<Constraint, BadConstraint> {
        let value = value.filter(|value| !value.is_empty());
        if field.is_empty() {
            return Err(BadConstraint::Form(operator.to_owned()));
        }
        if field.len() > TEXT_MAX || value.is_some_and(|value| value.len() > TEXT_MAX) {
            return Err(BadConstraint::TooLong);
        }
        let wrong = |wants| BadConstraint::Value {
            operator: operator.to_owned(),
            wants,
        };
        let number = |value: &str| {
            let number = value.trim().parse::<NonZero<u32>>();
            number.map_err(|_| wrong("a number above zero"))
        };
        let operator = match (operator, value) {
            ("UNIQUE", None) => Operator::Unique,
            ("UNIQUE", Some(_)) => return Err(wrong("no value")),
            ("CLUSTER", _) => Operator::Cluster,
            ("GROUP_BY", value) => Operator::GroupBy(value.map(number).transpose()?),
            ("LIKE", Some(_)) => Operator::Like,
            ("UNLIKE", Some(_)) => Operator::Unlike,
            ("MAX_PER", Some(value)) => Operator::MaxPer(number(value)?),
            ("IS", Some(_)) => Operator::Is,
            ("LIKE" | "UNLIKE" | "MAX_PER" | "IS", None) => return Err(wrong("a value")),
            (other, _) => return Err(BadConstraint::Operator(other.to_owned())),
        };
        let pattern = match (operator, value) {
            (Operator::Like | Operator::Unlike, Some(value)) => Some(pattern(value)?),
            _ => None,
        };
        Ok(Constraint {
            field: field.to_owned(),
            operator,
            value: value.map(str::to_owned),
            pattern,
        })
    }

    /// What it looks at: `hostname`, or the name of an attribute.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What it demands.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The value of the field on the agent of an offer; none if it has no such attribute.
    pub fn look(&self, offer: &Offer) -> Option<String> {
        match self.field.as_str() {
            HOSTNAME => Some(offer.hostname.clone()),
            field => offer.attributes.get(field).map(ToString::to_string),
        }
    }

    /// Whether an agent where the field is `value` will do, while the siblings are where `others`
    /// says: the value of the field for each of them that runs.
    pub fn allows(&self, value: Option<&str>, others: &[Option<String>]) -> bool {
        let same = |other: &&Option<String>| other.as_deref() == value;
        let matches = || match (&self.pattern, value) {
            (Some(pattern), Some(value)) => pattern.is_match(value),
            (Some(_) | None, _) => false,
        };
        match self.operator {
            Operator::Like => matches(),
            Operator::Unlike => !matches(),
            Operator::Is => value.is_some() && value == self.value.as_deref(),
            // Where the field is not there it is not known to be the same.
            _ if value.is_none() => false,
            Operator::Unique => !others.iter().any(|other| same(&other)),
            Operator::Cluster => match &self.value {
                Some(wanted) => value == Some(wanted),
                None => others.iter().all(|other| same(&other)),
            },
            Operator::MaxPer(most) => {
                let here = others.iter().filter(same).count();
                here < most.get() as usize
            }
            Operator::GroupBy(least) => self.group_by(least, value, others),
        }
    }

    /// A group gets one more if no other has fewer; groups that nobody runs in yet count until
    /// there are as many as demanded.
    fn group_by(
        &self,
        least: Option<NonZero<u32>>,
        value: Option<&str>,
        others: &[Option<String>],
    ) -> bool {
        let mut groups = std::collections::BTreeMap::new();
        for other in others.iter().flatten() {
            *groups.entry(other.as_str()).or_insert(0_usize) += 1;
        }
        let here = value.and_then(|value| groups.get(value)).copied();
        let wanted = least.map_or(0, NonZero::get) as usize;
        let fewest = match groups.len() < wanted {
            true => 0,
            false => groups.values().copied().min().unwrap_or(0),
        };
        here.unwrap_or(0) <= fewest
    }

    /// Whether the agent alone decides, whatever the siblings do: what is not allowed on any
    /// agent now will not be until the agents change.
    pub fn is_of_agent(&self) -> bool {
        match self.operator {
            Operator::Like | Operator::Unlike | Operator::Is => true,
            Operator::Cluster => self.value.is_some(),
            Operator::Unique | Operator::GroupBy(_) | Operator::MaxPer(_) => false,
        }
    }
}

fn pattern(text: &str) -> Result<Regex, BadConstraint> {
    let whole = format!("^(?:{text})$");
    let built = RegexBuilder::new(&whole).size_limit(PATTERN_MAX).build();
    built.map_err(|_| BadConstraint::Pattern(text.to_owned()))
}

impl FromStr for Constraint {
    type Err = BadConstraint;

    fn from_str(text: &str) -> Result<Constraint, BadConstraint> {
        let mut parts = text.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(field), Some(operator), value) => Constraint::new(field, operator, value),
            _ => Err(BadConstraint::Form(text.chars().take(100).collect())),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Unique => "UNIQUE",
            Operator::Cluster => "CLUSTER",
            Operator::GroupBy(_) => "GROUP_BY",
            Operator::Like => "LIKE",
            Operator::Unlike => "UNLIKE",
            Operator::MaxPer(_) => "MAX_PER",
            Operator::Is => "IS",
        };
        write!(f, "{}:{operator}", self.field)?;
        match &self.value {
            Some(value) => write!(f, ":{value}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constraint({self})")
    }
}

impl PartialEq for Constraint {
    fn eq(&self, other: &Constraint) -> bool {
        let parts = |c: &Constraint| (c.field.clone(), c.operator, c.value.clone());
        parts(self) == parts(other)
    }
}

impl Eq for Constraint {}

impl TryFrom<String> for Constraint {
    type Error = BadConstraint;

    fn try_from(text: String) -> Result<Constraint, BadConstraint> {
        text.parse()
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> String {
        constraint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(constraint: &str, value: &str, others: &[&str]) -> bool {
        let others: Vec<_> = others.iter().map(|o| Some((*o).to_owned())).collect();
        let constraint: Constraint = constraint.parse().unwrap();
        constraint.allows(Some(value), &others)
    }

    #[test]
    fn each_operator_does_what_marathons_does() {
        assert!(allows("rack:UNIQUE", "a", &["b"]) && !allows("rack:UNIQUE", "a", &["a"]));
        assert!(allows("rack:CLUSTER:a", "a", &["b"]) && !allows("rack:CLUSTER:a", "b", &[]));
        assert!(allows("rack:CLUSTER", "a", &["a"]) && !allows("rack:CLUSTER", "a", &["b"]));
        assert!(allows("rack:LIKE:eu-.*", "eu-1", &[]) && !allows("rack:LIKE:eu", "eu-1", &[]));
        assert!(allows("rack:UNLIKE:us.*", "eu", &[]) && !allows("rack:UNLIKE:us.*", "us1", &[]));
        assert!(allows("rack:MAX_PER:2", "a", &["a"]));
        assert!(!allows("rack:MAX_PER:2", "a", &["a", "a"]));
        assert!(allows("rack:IS:a", "a", &[]) && !allows("rack:IS:a", "b", &[]));
        assert!(allows("rack:GROUP_BY", "b", &["a"]) && allows("rack:GROUP_BY", "a", &["a", "b"]));
        assert!(!allows("rack:GROUP_BY:3", "a", &["a", "b"]));
        assert!(allows("rack:GROUP_BY:3", "c", &["a", "b"]));
    }

    #[test]
    fn an_agent_without_the_field_will_do_only_for_what_it_must_not_be() {
        let allows = |text: &str| {
            let constraint: Constraint = text.parse().unwrap();
            constraint.allows(None, &[])
        };
        assert!(allows("gpu:UNLIKE:old"));
        for text in [
            "gpu:LIKE:.*",
            "gpu:IS:x",
            "gpu:UNIQUE",
            "gpu:CLUSTER",
            "gpu:MAX_PER:1",
        ] {
            assert!(!allows(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused_with_what_to_write() {
        for text in [
            "",
            "rack",
            ":UNIQUE",
            "rack:NEAR",
            "rack:LIKE",
            "rack:LIKE:(",
            "rack:MAX_PER:0",
            "rack:GROUP_BY:x",
            "rack:UNIQUE:1",
            "rack:LIKE:(((a{1,1000}){1,1000}){1,1000})",
        ] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
        let constraint: Constraint = "rack:LIKE:a:b".parse().unwrap();
        assert_eq!(constraint.to_string(), "rack:LIKE:a:b");
    }
}
