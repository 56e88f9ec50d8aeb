//! Terms: what a framework asks of offers, role by role, from the words of the public API.

use std::collections::BTreeMap;

use allocator::{Constraint, Constraints, Predicate, Selector, whole_match};
use api::v1::scheduler::OfferConstraints;
use api::v1::scheduler::constraints::{AttributeConstraint, PseudoattributeType, RoleConstraints};
use types::{FrameworkInfo, Role};

/// What a framework asks of offers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// The agents it wants to be offered, by role.
    pub(crate) constraints: BTreeMap<Role, Constraints>,
    /// The same as it was said.
    pub(crate) said: Option<OfferConstraints>,
}

impl Terms {
    /// Reads the constraints of a framework of these roles.
    ///
    /// # Errors
    ///
    /// Says what is wrong with them, for people.
    pub(crate) fn new(
        said: Option<OfferConstraints>,
        info: &FrameworkInfo,
    ) -> Result<Terms, String> {
        let mut constraints = BTreeMap::new();
        for (name, of_role) in said.iter().flat_map(|said| &said.role_constraints) {
            let role = info.roles.iter().find(|role| role.as_str() == name);
            let role = role.ok_or_else(|| {
                format!(
                    "Offer constraints specify `role_constraints` for a role '{name}' not contained \
                     in the set of roles"
                )
            })?;
            let wrong = |text: String| {
                format!("Offer constraints are not valid: {text} (in 'role_constraints.{name}')")
            };
            constraints.insert(role.clone(), groups(of_role).map_err(wrong)?);
        }
        Ok(Terms { constraints, said })
    }
}

fn groups(role: &RoleConstraints) -> Result<Constraints, String> {
    let group = |group: &api::v1::scheduler::constraints::ConstraintGroup| {
        let constraints = group.attribute_constraints.iter().map(constraint);
        constraints.collect::<Result<Vec<Constraint>, String>>()
    };
    let groups: Result<Vec<_>, String> = role.groups.iter().map(group).collect();
    Constraints::new(groups?).map_err(|error| error.to_string())
}

fn constraint(said: &AttributeConstraint) -> Result<Constraint, String> {
    let AttributeConstraint {
        selector,
        predicate,
    } = said;
    let selector = match (selector.pseudoattribute_type, &selector.attribute_name) {
        (Some(PseudoattributeType::Hostname), None) => Selector::Hostname,
        (Some(PseudoattributeType::Region), None) => Selector::Region,
        (Some(PseudoattributeType::Zone), None) => Selector::Zone,
        (None, Some(name)) => Selector::Attribute(name.clone()),
        (Some(PseudoattributeType::Unknown), None) => {
            return Err("Unknown pseudoattribute type".to_owned());
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err("Exactly one of 'AttributeConstraint::Selector' must be set".to_owned());
        }
    };
    let regex = |text: &str| whole_match(text).map_err(|error| error.to_string());
    let mut asked = Vec::new();
    asked.extend(predicate.exists.as_ref().map(|_| Ok(Predicate::Exists)));
    asked.extend(
        predicate
            .not_exists
            .as_ref()
            .map(|_| Ok(Predicate::NotExists)),
    );
    let equals = predicate.text_equals.as_ref();
    asked.extend(equals.map(|said| Ok(Predicate::Equals(said.value.clone()))));
    let differs = predicate.text_not_equals.as_ref();
    asked.extend(differs.map(|said| Ok(Predicate::NotEquals(said.value.clone()))));
    let matches = predicate.text_matches.as_ref();
    asked.extend(matches.map(|said| regex(&said.regex).map(Predicate::Matches)));
    let misses = predicate.text_not_matches.as_ref();
    asked.extend(misses.map(|said| regex(&said.regex).map(Predicate::NotMatches)));
    let predicate = match (asked.pop(), asked.is_empty()) {
        (Some(predicate), true) => predicate?,
        (Some(_) | None, _) => {
            return Err("Exactly one of 'AttributeConstraint::Predicate' must be set".to_owned());
        }
    };
    Ok(Constraint {
        selector,
        predicate,
    })
}
