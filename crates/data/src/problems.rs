//! Problem codes of running plans.

bedplate_core::codes! {
    /// The token's role is not one that requests may run under.
    ROLE_UNKNOWN = "auth_role_unknown", 401, Auth, "The token's role is not known here", final;
    /// More rows would be changed than the caller allowed.
    TOO_MANY_AFFECTED = "too_many_affected", 400, Data, "More rows would be changed than allowed", final;
    /// One row was asked for, and the answer has none or several.
    NOT_SINGLE = "not_single", 406, Data, "The result is not exactly one row", final;
    /// The answer has more bytes than the role may ask for; `details` names the budget.
    ANSWER_TOO_LARGE = "answer_too_large", 400, Data, "The answer is larger than allowed", final;
    /// The planner expects a statement to cost more than the role may spend; `details` names the budget.
    QUERY_TOO_EXPENSIVE = "query_too_expensive", 400, Data, "The request costs more than allowed", final;
    CATALOG_MISSING = "catalog_missing", 503, Database, "The database's catalog is not loaded yet", retry;
}
