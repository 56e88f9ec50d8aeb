//! A whole cluster in one OS process, on the real or a simulated network.
