//! Values of resources and attributes.

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A value of any type.
    pub struct Value {
        /// Which arm is set.
        1 kind "type": ValueType,
        /// Number.
        2 scalar: Option<Scalar>,
        /// Integer ranges.
        3 ranges: Option<Ranges>,
        /// Set of strings.
        4 set: Option<Set>,
        /// String.
        5 text: Option<Text>,
    }

    /// An amount.
    pub struct Scalar {
        /// Fixed-point with 3 decimals.
        1 value: f64,
    }

    /// Numbers in a row.
    pub struct Range {
        /// Inclusive start.
        1 begin: u64,
        /// Inclusive end.
        2 end: u64,
    }

    /// Any number of ranges.
    pub struct Ranges {
        /// List of ranges.
        1 range: Vec<Range>,
    }

    /// A set of words.
    pub struct Set {
        /// Members.
        1 item: Vec<String>,
    }

    /// A text.
    pub struct Text {
        /// String.
        1 value: String,
    }

    /// Something an agent tells about itself.
    pub struct Attribute {
        /// Attribute name (may repeat).
        1 name: String,
        /// SCALAR/RANGES/SET/TEXT.
        2 kind "type": ValueType,
        /// Number.
        3 scalar: Option<Scalar>,
        4 ranges: Option<Ranges>,
        6 set: Option<Set>,
        /// String.
        5 text: Option<Text>,
    }
}

enumeration! {
    /// The types of values.
    pub enum ValueType {
        Scalar = 0 "SCALAR",
        Ranges = 1 "RANGES",
        Set = 2 "SET",
        Text = 3 "TEXT",
    }
}
