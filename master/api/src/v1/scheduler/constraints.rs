//! Constraints: which agents a framework wants to be offered.

use std::collections::BTreeMap;

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A condition on the attributes of an agent.
    pub struct AttributeConstraint {
        /// What is looked at.
        1 selector: AttributeSelector,
        /// Test on it.
        2 predicate: AttributePredicate,
    }

    /// What a condition looks at: one of the two.
    pub struct AttributeSelector {
        /// HOSTNAME/REGION/ZONE.
        1 pseudoattribute_type: Option<PseudoattributeType>,
        /// First attribute with that name.
        2 attribute_name: Option<String>,
    }

    /// What a condition asks: one of them.
    pub struct AttributePredicate {
        /// Is present.
        1 exists: Option<Exists>,
        /// Is absent.
        2 not_exists: Option<NotExists>,
        /// TEXT equal (non-TEXT always passes).
        3 text_equals: Option<TextEquals>,
        /// Absent or TEXT different (non-TEXT passes).
        4 text_not_equals: Option<TextNotEquals>,
        /// TEXT matches RE2 (non-TEXT passes).
        5 text_matches: Option<TextMatches>,
        /// Absent or not matching (non-TEXT passes).
        6 text_not_matches: Option<TextNotMatches>,
    }

    /// The text is this one.
    pub struct TextEquals {
        1 value: String,
    }

    /// The text is not this one.
    pub struct TextNotEquals {
        1 value: String,
    }

    /// The text matches a regular expression.
    pub struct TextMatches {
        1 regex: String,
    }

    /// The text does not match a regular expression.
    pub struct TextNotMatches {
        1 regex: String,
    }

    /// The attribute is there.
    pub struct Exists {}

    /// The attribute is not there.
    pub struct NotExists {}

    /// Which agents a framework wants to be offered, role by role.
    pub struct OfferConstraints {
        /// Role to constraints.
        1 role_constraints: BTreeMap<String, RoleConstraints>,
    }

    /// Which agents a role wants to be offered: those that one of the groups fits.
    pub struct RoleConstraints {
        /// OR of groups.
        1 groups: Vec<ConstraintGroup>,
    }

    /// Conditions that all have to hold.
    pub struct ConstraintGroup {
        /// AND inside a group.
        1 attribute_constraints: Vec<AttributeConstraint>,
    }
}

enumeration! {
    /// What every agent has like an attribute.
    pub enum PseudoattributeType {
        Unknown = 0 "UNKNOWN",
        Hostname = 1 "HOSTNAME",
        Region = 2 "REGION",
        Zone = 3 "ZONE",
    }
}
