//! Attributes: what an agent tells about itself, such as `rack:abc;level:10`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ParseError, Ranges, Scalar};

/// One agent has at most this many attributes.
pub const MAX_ATTRIBUTES: usize = 1_000;

/// A name or a text has at most this many bytes.
const MAX_ITEM_BYTES: usize = 1_024;

/// Parsing reads no more than this.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// One thing an agent tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attribute {
    /// What it is about.
    pub name: String,
    /// What it says.
    pub value: AttributeValue,
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AttributeValue {
    /// Anything that is neither a number nor ranges.
    Text(String),
    /// A number.
    Scalar(Scalar),
    /// Ranges of numbers.
    Ranges(Ranges),
}

/// Attributes, in the order they were given. A name may come twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Attribute>", into = "Vec<Attribute>")]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    /// Returns no attributes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns what the first attribute of this name says.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| &attribute.value)
    }

    /// Returns whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many attributes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Attribute>> for Attributes {
    type Error = ParseError;

    fn try_from(attributes: Vec<Attribute>) -> Result<Self, ParseError> {
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(ParseError::TooMany {
                max: MAX_ATTRIBUTES,
            });
        }
        for attribute in &attributes {
            ParseError::limit(&attribute.name, MAX_ITEM_BYTES)?;
            if let AttributeValue::Text(text) = &attribute.value {
                ParseError::limit(text, MAX_ITEM_BYTES)?;
            }
        }
        Ok(Self(attributes))
    }
}

impl From<Attributes> for Vec<Attribute> {
    fn from(attributes: Attributes) -> Self {
        attributes.0
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributeValue::Text(text) => f.write_str(text),
            AttributeValue::Scalar(scalar) => scalar.fmt(f),
            AttributeValue::Ranges(ranges) => ranges.fmt(f),
        }
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, attribute) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ";" };
            write!(f, "{separator}{}:{}", attribute.name, attribute.value)?;
        }
        Ok(())
    }
}

impl FromStr for Attributes {
    type Err = ParseError;

    /// Reads `rack:abc;level:10;ports:[1-2]`. Sets are not attributes.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        ParseError::limit(text, MAX_TEXT_BYTES)?;
        let mut attributes = Vec::new();
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let wrong = || ParseError::expected("name:value", part);
            let (name, value) = part.split_once(':').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() || value.is_empty() || attributes.len() == MAX_ATTRIBUTES {
                return Err(wrong());
            }
            attributes.push(Attribute {
                name: name.to_owned(),
                value: self::value(value)?,
            });
        }
        Self::try_from(attributes)
    }
}

fn value(text: &str) -> Result<AttributeValue, ParseError> {
    if text.starts_with('{') {
        return Err(ParseError::expected("a text, a number or ranges", text));
    }
    if text.starts_with('[') {
        return text.parse().map(AttributeValue::Ranges);
    }
    let number = text
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| text.parse())
        .transpose();
    match number {
        Ok(Some(scalar)) => Ok(AttributeValue::Scalar(scalar)),
        Ok(None) | Err(_) => Ok(AttributeValue::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_from_text_and_printed_as_such() {
        let text = "rack:abc;level:10;ports:[1-2];cpu_type:x86;version:1.2.3";
        let attributes: Attributes = text.parse().unwrap();
        assert_eq!(attributes.to_string(), text);
        assert_eq!(
            attributes.get("rack"),
            Some(&AttributeValue::Text("abc".into()))
        );
        assert_eq!(
            attributes.get("level"),
            Some(&AttributeValue::Scalar(Scalar::from_units(10)))
        );
        assert_eq!(
            attributes.get("version"),
            Some(&AttributeValue::Text("1.2.3".into()))
        );
        assert_eq!(attributes.get("row"), None);
    }

    #[test]
    fn a_bad_text_is_an_error() {
        for bad in ["rack", "rack:", ":abc", "disks:{a,b}", "ports:[2-1]"] {
            assert!(bad.parse::<Attributes>().is_err(), "{bad}");
        }
    }
}
