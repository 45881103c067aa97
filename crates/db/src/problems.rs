//! The problems that a database raises. [`crate::sqlstate`] says which SQLSTATE becomes which.

bedplate_core::codes! {
    /// No connection to PostgreSQL can be made, or the one in use broke before anything was done.
    DATABASE_UNAVAILABLE = "database_unavailable", 503, Database, "The database is not available", retry;
    /// The connection broke after the statement was sent: it may or may not have been carried out.
    OUTCOME_UNKNOWN = "database_outcome_unknown", 503, Database,
        "The connection broke and the outcome is not known", retry;
    /// Every pooled connection stayed busy for the wait limit.
    POOL_TIMEOUT = "database_busy", 503, Database, "The server is busy", retry;
    /// PostgreSQL is short of memory, connections or another resource (class 53 and 57P0x).
    DATABASE_OVERLOADED = "database_overloaded", 503, Database, "The database is overloaded", retry;
    /// The server this connection leads to is a standby or read-only.
    DATABASE_READ_ONLY = "database_read_only", 503, Database, "The database only takes reads now", retry;
    /// SQLSTATE 53100.
    STORAGE_FULL = "storage_full", 507, Database, "The database has no space left", retry;
    /// SQLSTATE 57014: statement_timeout, or cancelled.
    STATEMENT_TIMEOUT = "statement_timeout", 504, Database, "The query took too long", retry;
    /// SQLSTATE 55P03: lock_timeout or NOWAIT.
    LOCK_TIMEOUT = "lock_timeout", 409, Database, "The record is locked by another operation", retry;
    /// Class 40: serialization failure or deadlock. Nothing was changed.
    TRANSACTION_CONFLICT = "transaction_conflict", 409, Database,
        "The operation collided with another one", retry;
    /// SQLSTATE 23505.
    UNIQUE_VIOLATION = "unique_violation", 409, Data, "A record with these values exists", final;
    /// SQLSTATE 23P01.
    EXCLUSION_VIOLATION = "exclusion_violation", 409, Data, "The record conflicts with another one", final;
    /// SQLSTATE 23503 and 23001.
    FOREIGN_KEY_VIOLATION = "foreign_key_violation", 422, Data, "A related record is missing or in use", final;
    /// SQLSTATE 23514 and 44000.
    CHECK_VIOLATION = "check_violation", 422, Data, "A value breaks a rule of the data model", final;
    /// SQLSTATE 23502.
    NOT_NULL_VIOLATION = "not_null_violation", 422, Data, "A required value is missing", final;
    /// Class 22: a value cannot be read as its type, is out of range or too long.
    INVALID_VALUE = "invalid_value", 400, Data, "A value does not fit its type", final;
    /// SQLSTATE 42703, 42804 and their like: the statement does not fit the schema.
    INVALID_QUERY = "invalid_query", 400, Data, "The request does not fit the data model", final;
    /// SQLSTATE P0001: the app's own SQL refused, and its message is meant for the caller.
    RAISED = "raised", 400, Data, "The operation was refused", final;
    /// A name is missing or does not fit inside a function, trigger, policy or default of the app. Callers can do
    /// nothing about it; what PostgreSQL said is in the log.
    STORED_CODE_FAILED = "database_code_failed", 500, Database,
        "A function or policy of the database failed", final;
    /// SQLSTATE 25006 in a transaction that was declared read-only.
    READ_ONLY_TRANSACTION = "read_only_transaction", 405, Data, "This operation writes and cannot be read", final;
    /// Class 0A: the server or one of its extensions does not offer this.
    NOT_SUPPORTED = "not_supported", 501, Database, "The database does not support this", final;
    /// Class 54: stack depth, statement or row too large.
    TOO_COMPLEX = "too_complex", 413, Data, "The request is too complex", final;
}
