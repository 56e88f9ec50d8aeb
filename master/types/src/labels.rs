//! Labels: free words that people hang on things.

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// One thing has at most this many labels.
pub const MAX_LABELS: usize = 1_000;

/// The keys and values of one thing's labels have at most this many bytes together.
pub const MAX_LABELS_BYTES: usize = 256 << 10;

/// A word, with or without a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The word.
    pub key: String,
    /// What it says.
    pub value: Option<String>,
}

/// Labels, in the order they were given. A key may come twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Label>", into = "Vec<Label>")]
pub struct Labels(Vec<Label>);

impl Labels {
    /// Returns no labels.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a label with a value.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push(Label {
            key: key.into(),
            value: Some(value.into()),
        });
        self
    }

    /// Returns the value of the first label with this key, if it has one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|label| label.key == key)?
            .value
            .as_deref()
    }

    /// Returns whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the labels, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Label>> for Labels {
    type Error = ParseError;

    fn try_from(labels: Vec<Label>) -> Result<Self, ParseError> {
        if labels.len() > MAX_LABELS {
            return Err(ParseError::TooMany { max: MAX_LABELS });
        }
        let bytes = |label: &Label| label.key.len() + label.value.as_ref().map_or(0, String::len);
        let length = labels.iter().map(bytes).sum();
        if length > MAX_LABELS_BYTES {
            return Err(ParseError::TooLong {
                length,
                max: MAX_LABELS_BYTES,
            });
        }
        Ok(Self(labels))
    }
}

impl From<Labels> for Vec<Label> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_of_a_key_counts() {
        let labels = Labels::new().with("tier", "web").with("tier", "db");
        assert_eq!(labels.get("tier"), Some("web"));
        assert_eq!(labels.get("rack"), None);
        assert_eq!(labels.len(), 2);
    }

    #[test]
    fn labels_are_bounded() {
        let label = Label {
            key: "k".into(),
            value: None,
        };
        assert!(Labels::try_from(vec![label.clone(); MAX_LABELS]).is_ok());
        assert!(Labels::try_from(vec![label; MAX_LABELS + 1]).is_err());
        let long = Label {
            key: "k".repeat(MAX_LABELS_BYTES + 1),
            value: None,
        };
        assert!(Labels::try_from(vec![long]).is_err());
    }
}
