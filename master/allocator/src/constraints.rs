//! Constraints: which agents a framework wants to be offered, by what they say of themselves.

use regex::{Regex, RegexBuilder};
use types::{AgentInfo, AttributeValue, Attributes};

/// A role has at most this many groups, and a group this many conditions.
const MAX_CONDITIONS: usize = 1_000;

/// A regular expression has at most this many bytes as it is written, and as it is compiled.
const MAX_REGEX_BYTES: (usize, usize) = (4 << 10, 1 << 20);

/// What an agent says of itself, as far as constraints look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// The name of its machine.
    pub hostname: String,
    /// Where that stands, if anybody said.
    pub region: Option<String>,
    /// The same, closer.
    pub zone: Option<String>,
    /// What else it says.
    pub attributes: Attributes,
}

impl From<&AgentInfo> for Traits {
    fn from(info: &AgentInfo) -> Self {
        let domain = info.domain.as_ref();
        Self {
            hostname: info.hostname.clone(),
            region: domain.map(|domain| domain.region.clone()),
            zone: domain.map(|domain| domain.zone.clone()),
            attributes: info.attributes.clone(),
        }
    }
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The name of the machine.
    Hostname,
    /// Its region.
    Region,
    /// Its zone.
    Zone,
    /// The first attribute of this name.
    Attribute(String),
}

/// What a condition asks. What is no text fits the last four.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// It is there.
    Exists,
    /// It is not there.
    NotExists,
    /// It is there, and this text.
    Equals(String),
    /// It is not there, or another text.
    NotEquals(String),
    /// It is there, and matches from beginning to end.
    Matches(Regex),
    /// It is not there, or does not match.
    NotMatches(Regex),
}

/// A condition on an agent.
#[derive(Debug, Clone)]
pub struct Constraint {
    /// What it looks at.
    pub selector: Selector,
    /// What it asks.
    pub predicate: Predicate,
}

/// Conditions in groups: an agent fits if all of one group hold.
#[derive(Debug, Clone)]
pub struct Constraints(Vec<Vec<Constraint>>);

/// Why constraints are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConstraints {
    /// What asks nothing is a mistake.
    #[error("there are no groups, or a group has no constraints")]
    Empty,
    /// There are more than are looked at for every agent.
    #[error("there are more than {MAX_CONDITIONS} groups, or constraints in a group")]
    TooMany,
    /// The expression is none, or too large.
    #[error("the regular expression is invalid or too large: {0}")]
    Regex(String),
}

impl Constraints {
    /// Takes groups of conditions.
    ///
    /// # Errors
    ///
    /// Fails when there are none, or too many.
    pub fn new(groups: Vec<Vec<Constraint>>) -> Result<Self, InvalidConstraints> {
        if groups.is_empty() || groups.iter().any(Vec::is_empty) {
            return Err(InvalidConstraints::Empty);
        }
        let most = groups.iter().map(Vec::len).max();
        if groups.len().max(most.unwrap_or(0)) > MAX_CONDITIONS {
            return Err(InvalidConstraints::TooMany);
        }
        Ok(Self(groups))
    }

    /// Returns whether an agent fits.
    pub fn fit(&self, traits: &Traits) -> bool {
        let holds = |constraint: &Constraint| constraint.holds(traits);
        self.0.iter().any(|group| group.iter().all(holds))
    }
}

/// Compiles an expression that has to match from beginning to end.
///
/// # Errors
///
/// Fails when it is none, or too large.
pub fn whole_match(expression: &str) -> Result<Regex, InvalidConstraints> {
    let (written, compiled) = MAX_REGEX_BYTES;
    if expression.len() > written {
        let text = format!("{} bytes, more than {written}", expression.len());
        return Err(InvalidConstraints::Regex(text));
    }
    // Alone first: what is wrong alone must not become right within brackets.
    let build = |text: &str| RegexBuilder::new(text).size_limit(compiled).build();
    let wrong = |error: regex::Error| InvalidConstraints::Regex(error.to_string());
    build(expression).map_err(wrong)?;
    build(&format!("^(?:{expression})$")).map_err(wrong)
}

/// What a selector finds.
enum Found<'a> {
    Nothing,
    Text(&'a str),
    Other,
}

impl Constraint {
    fn holds(&self, traits: &Traits) -> bool {
        let found = self.selector.find(traits);
        match (&self.predicate, found) {
            (Predicate::Exists, found) => !matches!(found, Found::Nothing),
            (Predicate::NotExists, found) => matches!(found, Found::Nothing),
            (Predicate::Equals(_) | Predicate::Matches(_), Found::Nothing) => false,
            (_, Found::Nothing | Found::Other) => true,
            (Predicate::Equals(text), Found::Text(found)) => text == found,
            (Predicate::NotEquals(text), Found::Text(found)) => text != found,
            (Predicate::Matches(regex), Found::Text(found)) => regex.is_match(found),
            (Predicate::NotMatches(regex), Found::Text(found)) => !regex.is_match(found),
        }
    }
}

impl Selector {
    fn find<'a>(&self, traits: &'a Traits) -> Found<'a> {
        let text = |text: Option<&'a String>| text.map_or(Found::Nothing, |t| Found::Text(t));
        match self {
            Selector::Hostname => Found::Text(&traits.hostname),
            Selector::Region => text(traits.region.as_ref()),
            Selector::Zone => text(traits.zone.as_ref()),
            Selector::Attribute(name) => match traits.attributes.get(name) {
                None => Found::Nothing,
                Some(AttributeValue::Text(text)) => Found::Text(text),
                Some(AttributeValue::Scalar(_) | AttributeValue::Ranges(_)) => Found::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits() -> Traits {
        Traits {
            hostname: "n1.example".into(),
            region: Some("r".into()),
            zone: None,
            attributes: "rack:a1;rack:b2;level:10".parse().unwrap(),
        }
    }

    fn holds(selector: Selector, predicate: Predicate) -> bool {
        let constraint = Constraint {
            selector,
            predicate,
        };
        Constraints::new(vec![vec![constraint]])
            .unwrap()
            .fit(&traits())
    }

    #[test]
    fn each_predicate_looks_at_what_is_there_and_at_texts() {
        let attribute = |name: &str| Selector::Attribute(name.into());
        let text = |text: &str| text.to_owned();
        assert!(holds(attribute("rack"), Predicate::Exists));
        assert!(holds(attribute("none"), Predicate::NotExists));
        assert!(!holds(Selector::Zone, Predicate::Exists));
        assert!(holds(Selector::Region, Predicate::Equals(text("r"))));
        assert!(holds(attribute("rack"), Predicate::Equals(text("a1"))));
        assert!(!holds(attribute("rack"), Predicate::Equals(text("b2"))));
        assert!(!holds(attribute("none"), Predicate::Equals(text("a1"))));
        assert!(holds(attribute("none"), Predicate::NotEquals(text("a1"))));
        assert!(holds(attribute("level"), Predicate::Equals(text("7"))));
        assert!(holds(attribute("level"), Predicate::NotEquals(text("10"))));
    }

    #[test]
    fn a_match_is_of_the_whole_text() {
        let regex = |text: &str| whole_match(text).unwrap();
        assert!(holds(
            Selector::Hostname,
            Predicate::Matches(regex("n\\d[.]example"))
        ));
        assert!(!holds(
            Selector::Hostname,
            Predicate::Matches(regex("n\\d"))
        ));
        assert!(holds(
            Selector::Hostname,
            Predicate::NotMatches(regex("n\\d"))
        ));
        assert!(!holds(
            Selector::Hostname,
            Predicate::Matches(regex("x|n1"))
        ));
        for wrong in ["(", "a)(b", "(?:a{1000}){1000}"] {
            assert!(whole_match(wrong).is_err(), "{wrong}");
        }
        assert!(whole_match(&"a".repeat(5_000)).is_err());
    }

    #[test]
    fn one_group_has_to_hold_whole() {
        let exists = |name: &str, predicate| Constraint {
            selector: Selector::Attribute(name.into()),
            predicate,
        };
        let fit = |groups| Constraints::new(groups).unwrap().fit(&traits());
        let (rack, none) = (
            || exists("rack", Predicate::Exists),
            || exists("none", Predicate::Exists),
        );
        assert!(!fit(vec![vec![rack(), none()]]));
        assert!(fit(vec![vec![rack(), none()], vec![rack()]]));
        assert!(Constraints::new(vec![]).is_err());
        assert!(Constraints::new(vec![vec![]]).is_err());
    }
}
