//! The shape of JSON: which names there are, and what kinds of values; not which values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// What one or several values look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    kinds: BTreeSet<&'static str>,
    members: BTreeMap<String, Shape>,
    items: Option<Box<Shape>>,
}

impl Shape {
    pub(super) fn of(value: &Json) -> Shape {
        let mut shape = Shape::default();
        shape.add(value);
        shape
    }

    /// Takes another value of the same place in.
    pub(super) fn add(&mut self, value: &Json) {
        self.kinds.insert(match value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        });
        match value {
            Json::Array(items) => {
                for item in items {
                    self.items.get_or_insert_default().add(item);
                }
            }
            Json::Object(members) => {
                for (name, value) in members {
                    self.members.entry(name.clone()).or_default().add(value);
                }
            }
            _ => {}
        }
    }

    /// How this differs from what was recorded, in words, path by path.
    pub(super) fn differences(&self, recorded: &Shape) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.compare(recorded, "", &mut found);
        found
    }

    fn compare(&self, recorded: &Shape, path: &str, found: &mut BTreeSet<String>) {
        if self.kinds.is_disjoint(&recorded.kinds) {
            let kinds = |shape: &Shape| shape.kinds.iter().copied().collect::<Vec<_>>().join(", ");
            let (ours, theirs) = (kinds(self), kinds(recorded));
            found.insert(format!("`{path}` is {ours} instead of {theirs}"));
            return;
        }
        for (name, theirs) in &recorded.members {
            let path = format!("{path}.{name}");
            match self.members.get(name) {
                Some(ours) => ours.compare(theirs, &path, found),
                None => {
                    found.insert(format!("no `{path}`"));
                }
            }
        }
        for name in self
            .members
            .keys()
            .filter(|name| !recorded.members.contains_key(*name))
        {
            found.insert(format!("`{path}.{name}` besides"));
        }
        // An empty list says nothing of what would be in it.
        if let (Some(ours), Some(theirs)) = (&self.items, &recorded.items) {
            ours.compare(theirs, &format!("{path}[]"), found);
        }
    }
}

#[test]
fn shapes_differ_in_names_and_kinds_and_not_in_values() {
    let shape = |text: &str| Shape::of(&serde_json::from_str(text).unwrap());
    let recorded = shape(r#"{"a": 1, "b": [{"c": "x"}, {"d": true}], "e": []}"#);
    let ours = shape(r#"{"a": 2.5, "b": [{"c": "y", "d": false}], "e": [1]}"#);
    assert_eq!(ours.differences(&recorded), BTreeSet::new());
    let ours = shape(r#"{"a": "2", "b": [{"c": "y", "f": null}], "e": []}"#);
    let expected = [
        "`.a` is a text instead of a number",
        "`.b[].f` besides",
        "no `.b[].d`",
    ];
    assert_eq!(
        ours.differences(&recorded).into_iter().collect::<Vec<_>>(),
        expected
    );
}
