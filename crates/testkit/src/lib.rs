//! Test fixtures: a shared PostgreSQL, a database per test.
