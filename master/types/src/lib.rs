//! The nouns of a cluster: ids, resources and their algebra, roles, tasks, statuses, offers.
