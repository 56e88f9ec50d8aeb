//! Resources and attributes as the pages have them: one number or text by name.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use types::{
    AttributeValue, Attributes, ResourceName, ResourceQuantities, Resources, Scalar, Value,
};

/// What is always told of, though there may be none.
const ALWAYS: [ResourceName; 4] = [
    ResourceName::CPUS,
    ResourceName::DISK,
    ResourceName::GPUS,
    ResourceName::MEM,
];

/// Resources by name, whomever they are for: `{"cpus": 2.0, "ports": "[31000-32000]"}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flat<'a>(pub(super) &'a Resources);

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut amounts: BTreeMap<&ResourceName, Scalar> = BTreeMap::new();
        amounts.extend(ALWAYS.iter().map(|name| (name, Scalar::default())));
        let mut others: BTreeMap<&ResourceName, Value> = BTreeMap::new();
        for resource in self.0 {
            match (&resource.value, others.get_mut(&resource.name)) {
                (Value::Scalar(amount), _) => {
                    *amounts.entry(&resource.name).or_default() += *amount;
                }
                (Value::Ranges(ranges), Some(Value::Ranges(sum))) => *sum += ranges,
                (Value::Set(set), Some(Value::Set(sum))) => *sum += set,
                (value, _) => drop(others.insert(&resource.name, value.clone())),
            }
        }
        let mut map = serializer.serialize_map(None)?;
        for (name, amount) in amounts {
            map.serialize_entry(name.as_str(), &amount.as_f64())?;
        }
        for (name, value) in others {
            match value {
                Value::Ranges(ranges) => {
                    map.serialize_entry(name.as_str(), &format_args!("{ranges}"))?;
                }
                Value::Set(set) => map.serialize_entry(name.as_str(), &format_args!("{set}"))?,
                Value::Scalar(_) => {}
            }
        }
        map.end()
    }
}

/// Amounts by name, those that are there: `{"cpus": 2.0}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts<'a>(pub(super) &'a Resources);

impl Serialize for Amounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let quantities = ResourceQuantities::from(self.0);
        serializer.collect_map(
            quantities
                .iter()
                .map(|(name, amount)| (name.as_str(), amount.as_f64())),
        )
    }
}

/// Attributes by name; of those that come twice, the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a>(pub(super) &'a Attributes);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let by_name: BTreeMap<&str, &AttributeValue> = self
            .0
            .iter()
            .map(|attribute| (attribute.name.as_str(), &attribute.value))
            .collect();
        let mut map = serializer.serialize_map(Some(by_name.len()))?;
        for (name, value) in by_name {
            match value {
                AttributeValue::Text(text) => map.serialize_entry(name, text)?,
                AttributeValue::Scalar(amount) => map.serialize_entry(name, &amount.as_f64())?,
                AttributeValue::Ranges(ranges) => {
                    map.serialize_entry(name, &format_args!("{ranges}"))?;
                }
            }
        }
        map.end()
    }
}

/// A time in milliseconds since 1970, in seconds.
pub(super) fn seconds(time_ms: u64) -> f64 {
    time_ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_flat_whomever_they_are_for() {
        let text = "cpus:2;cpus(dev):1.5;mem:64;ports:[5-7];ports(dev):[9-9];disks:{a,b}";
        let resources: Resources = text.parse().unwrap();
        let json = serde_json::to_string(&Flat(&resources)).unwrap();
        let expected =
            r#"{"cpus":3.5,"mem":64.0,"disk":0.0,"gpus":0.0,"ports":"[5-7, 9-9]","disks":"{a,b}"}"#;
        assert_eq!(json, expected);
        let json = serde_json::to_string(&Amounts(&resources)).unwrap();
        assert!(
            json.contains(r#""cpus":3.5"#) && !json.contains("disk\":"),
            "{json}"
        );
    }

    #[test]
    fn attributes_are_texts_and_numbers() {
        let said: Attributes = "rack:r1;level:10;ports:[1-2];rack:r2".parse().unwrap();
        let json = serde_json::to_string(&Said(&said)).unwrap();
        assert_eq!(json, r#"{"level":10.0,"ports":"[1-2]","rack":"r2"}"#);
    }
}
