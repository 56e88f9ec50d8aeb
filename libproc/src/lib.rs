//! Addressable processes: actors with an address, the same on this node and on another.
