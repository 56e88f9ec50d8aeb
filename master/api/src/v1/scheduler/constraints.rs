//! Constraints: which agents a framework wants to be offered.

use std::collections::BTreeMap;

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A condition on the attributes of an agent.
    pub struct AttributeConstraint {
        1 selector: AttributeSelector,
        2 predicate: AttributePredicate,
    }

    /// What a condition looks at: one of the two.
    pub struct AttributeSelector {
        1 pseudoattribute_type: Option<PseudoattributeType>,
        /// The first attribute of this name.
        2 attribute_name: Option<String>,
    }

    /// What a condition asks: one of them.
    pub struct AttributePredicate {
        1 exists: Option<Exists>,
        2 not_exists: Option<NotExists>,
        /// What is no text fits.
        3 text_equals: Option<TextEquals>,
        /// What is not there, or no text, fits.
        4 text_not_equals: Option<TextNotEquals>,
        /// What is no text fits.
        5 text_matches: Option<TextMatches>,
        /// What is not there, or no text, fits.
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
        1 role_constraints: BTreeMap<String, RoleConstraints>,
    }

    /// Which agents a role wants to be offered: those that one of the groups fits.
    pub struct RoleConstraints {
        /// One has to hold.
        1 groups: Vec<ConstraintGroup>,
    }

    /// Conditions that all have to hold.
    pub struct ConstraintGroup {
        /// All have to hold.
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
