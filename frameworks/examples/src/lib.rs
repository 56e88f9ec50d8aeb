//! Frameworks to learn from: sleepers and a word count on real text.
