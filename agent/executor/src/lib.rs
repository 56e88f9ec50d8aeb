//! The task side: what runs beside a task, and the command executor.
