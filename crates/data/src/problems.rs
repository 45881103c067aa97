//! Problem codes of running plans.

bedplate_core::codes! {
    /// The token's role is not one that requests may run under.
    ROLE_UNKNOWN = "auth_role_unknown", 401, Auth, "The token's role is not known here", final;
    /// More rows would be changed than the caller allowed.
    TOO_MANY_AFFECTED = "too_many_affected", 400, Data, "More rows would be changed than allowed", final;
    /// One row was asked for, and the answer has none or several.
    NOT_SINGLE = "not_single", 406, Data, "The result is not exactly one row", final;
    /// A function asks for an isolation that the transaction it is called in does not have.
    ISOLATION_MIXED = "isolation_mixed", 400, Data,
        "This function needs a transaction of its own, by its isolation", final;
    /// The answer has more bytes than the role may ask for; `details` names the budget.
    ANSWER_TOO_LARGE = "answer_too_large", 400, Data, "The answer is larger than allowed", final;
    /// The planner expects a statement to cost more than the role may spend; `details` names the budget.
    QUERY_TOO_EXPENSIVE = "query_too_expensive", 400, Data, "The request costs more than allowed", final;
    /// A trigger of the database kept a row from being written, and related rows were to belong to it.
    ROW_DROPPED = "row_dropped", 409, Data, "The database did not keep a row that others belong to", final;
    CATALOG_MISSING = "catalog_missing", 503, Database, "The database's catalog is not loaded yet", retry;
    /// `api.idempotency_required` lists the resource.
    IDEMPOTENCY_KEY_REQUIRED = "idempotency_key_required", 400, Request,
        "This request needs an Idempotency-Key", final;
    /// The key of a caller without an identity could be guessed.
    IDEMPOTENCY_KEY_WEAK = "idempotency_key_weak", 400, Request, "The Idempotency-Key could be guessed", final;
    /// The answer is larger than what is kept; the write was undone.
    IDEMPOTENCY_ANSWER_TOO_LARGE = "idempotency_answer_too_large", 400, Request,
        "The answer is too large to be kept with its key", final;
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress", 409, Request,
        "The request with this key is still running", retry;
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", 422, Request,
        "The Idempotency-Key belongs to another request", final;
    IDEMPOTENCY_TOO_MANY_KEYS = "idempotency_too_many_keys", 429, Request,
        "Too many idempotency keys are kept for this caller", retry;
    /// The database has no contract, or an older one.
    IDEMPOTENCY_UNAVAILABLE = "idempotency_unavailable", 501, Database,
        "Idempotency keys are not offered on this database", final;
}
