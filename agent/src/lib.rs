//! The agent process: runs tasks on one machine and reports on them.
