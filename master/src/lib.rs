//! The master process: offers resources and keeps the books.
