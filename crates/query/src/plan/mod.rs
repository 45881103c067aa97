//! The planner: a request resolved against the catalog, and permitted.
