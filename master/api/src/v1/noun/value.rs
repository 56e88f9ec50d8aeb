//! Values of resources and attributes.

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A value of any type.
    pub struct Value {
        /// Which of the following counts.
        1 kind "type": ValueType,
        2 scalar: Option<Scalar>,
        3 ranges: Option<Ranges>,
        4 set: Option<Set>,
        5 text: Option<Text>,
    }

    /// An amount.
    pub struct Scalar {
        /// Counted in thousandths.
        1 value: f64,
    }

    /// Numbers in a row.
    pub struct Range {
        /// The first number.
        1 begin: u64,
        /// The last number.
        2 end: u64,
    }

    /// Any number of ranges.
    pub struct Ranges {
        1 range: Vec<Range>,
    }

    /// A set of words.
    pub struct Set {
        1 item: Vec<String>,
    }

    /// A text.
    pub struct Text {
        1 value: String,
    }

    /// Something an agent tells about itself.
    pub struct Attribute {
        /// May come twice.
        1 name: String,
        2 kind "type": ValueType,
        3 scalar: Option<Scalar>,
        4 ranges: Option<Ranges>,
        6 set: Option<Set>,
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
