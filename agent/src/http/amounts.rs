//! Resources as the pages of Apache Mesos show them: one number or text a name.

use std::collections::BTreeMap;

use api::v1::convert::{ResourceFormat, resources_for};
use serde_json::{Map, Value, json};
use types::{Resource, Resources};

/// What every page has, if only as zero.
const ALWAYS: [&str; 4] = ["disk", "mem", "gpus", "cpus"];

/// Sums by name: amounts as numbers, ranges and sets as text.
pub(super) fn amounts<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Value {
    let mut sums = Resources::new();
    for resource in resources {
        let plain = Resource::new(resource.name.clone(), resource.value.clone());
        // What is not of the type its name has is in no books.
        let _ = sums.insert(plain);
    }
    let mut page = Map::from_iter(ALWAYS.map(|name| (name.to_owned(), json!(0.0))));
    for resource in sums.iter() {
        let value = match &resource.value {
            types::Value::Scalar(amount) => json!(amount.as_f64()),
            types::Value::Ranges(ranges) => json!(ranges.to_string()),
            types::Value::Set(set) => json!(set.to_string()),
        };
        page.insert(resource.name.to_string(), value);
    }
    Value::Object(page)
}

/// The same for what is reserved, by role.
pub(super) fn reserved_amounts(resources: &Resources) -> Value {
    let by_role = by_role(resources).into_iter();
    by_role
        .map(|(role, resources)| (role, amounts(resources)))
        .collect::<Map<_, _>>()
        .into()
}

/// What is reserved, by role and in full.
pub(super) fn reserved_in_full(resources: &Resources) -> Value {
    let by_role = by_role(resources).into_iter();
    by_role
        .map(|(role, resources)| (role, in_full(resources)))
        .collect::<Map<_, _>>()
        .into()
}

/// What is for everybody.
pub(super) fn unreserved(resources: &Resources) -> impl Iterator<Item = &Resource> {
    resources.iter().filter(|resource| resource.is_unreserved())
}

/// Every resource with all that sets it apart.
pub(super) fn in_full<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Value {
    let resources: Vec<Resource> = resources.into_iter().cloned().collect();
    let resources = Resources::try_from(resources).unwrap_or_default();
    json!(resources_for(&resources, ResourceFormat::Endpoint, None))
}

fn by_role(resources: &Resources) -> BTreeMap<String, Vec<&Resource>> {
    let mut by_role = BTreeMap::<_, Vec<&Resource>>::new();
    for resource in resources.iter() {
        if let Some(role) = resource.reservation_role() {
            by_role.entry(role.to_string()).or_default().push(resource);
        }
    }
    by_role
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_summed_and_the_usual_ones_are_always_there() {
        let resources = Resources::new().cpus(1.5).mem_mib(64).ports(31000..=31001);
        let expected = json!({
            "cpus": 1.5,
            "disk": 0.0,
            "gpus": 0.0,
            "mem": 64.0,
            "ports": "[31000-31001]",
        });
        assert_eq!(amounts(resources.iter()), expected);
        assert_eq!(reserved_amounts(&resources), json!({}));
        assert_eq!(in_full(unreserved(&resources))[0]["role"], "*");
    }
}
