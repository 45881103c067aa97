//! Problem codes of `/api/v1`.

bedplate_core::codes! {
    PREFERENCE_UNKNOWN = "preference_unknown", 400, Request, "A preference is not offered here", final;
    PAGING_INVALID = "paging_invalid", 400, Request, "The paging parameters do not fit together", final;
    /// The kind of count is not allowed for this caller.
    COUNT_NOT_ALLOWED = "count_not_allowed", 403, Access, "This kind of count is not allowed", final;
    ROLLBACK_NOT_ALLOWED = "rollback_not_allowed", 403, Access, "Dry runs are for the service role", final;
    /// `If-Match`, `If-None-Match` or `If-Unmodified-Since` does not hold.
    PRECONDITION_FAILED = "precondition_failed", 412, Request, "The resource is not what the request is about", final;
    PRECONDITION_REQUIRED = "precondition_required", 428, Request, "The request must say which version it is about", final;
    PRECONDITION_NOT_OFFERED = "precondition_not_offered", 400, Request, "Preconditions are not offered here", final;
    /// PUT with a body whose key is not the one in the path.
    KEY_MISMATCH = "key_mismatch", 400, Request, "The body's key is not the one in the path", final;
}
