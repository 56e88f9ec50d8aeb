//! The numbers people quote, side by side with their peers and limits.
