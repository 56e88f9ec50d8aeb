//! The verbs of a cluster: one protocol page per conversation.
