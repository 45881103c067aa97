//! Problem codes of running plans.

bedplate_core::codes! {
    /// The token's role is not one that requests may run under.
    ROLE_UNKNOWN = "auth_role_unknown", 401, Auth, "The token's role is not known here", final;
    /// More rows would be changed than the caller allowed.
    TOO_MANY_AFFECTED = "too_many_affected", 400, Data, "More rows would be changed than allowed", final;
    /// One row was asked for, and the answer has none or several.
    NOT_SINGLE = "not_single", 406, Data, "The result is not exactly one row", final;
    CATALOG_MISSING = "catalog_missing", 503, Database, "The database's catalog is not loaded yet", retry;
}
