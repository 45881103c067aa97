//! Problem codes of parsing and planning.

bedplate_core::codes! {
    /// The select, filter, order or paging syntax.
    QUERY_SYNTAX = "query_syntax", 400, Request, "The query cannot be read", final;
    /// A column that does not exist or that the role may not know of.
    UNKNOWN_COLUMN = "unknown_column", 400, Data, "Unknown column", final;
    UNKNOWN_RELATIONSHIP = "unknown_relationship", 400, Data, "No relationship leads there", final;
    AMBIGUOUS_RELATIONSHIP = "ambiguous_relationship", 400, Data, "More than one relationship leads there", final;
    AMBIGUOUS_FUNCTION = "ambiguous_function", 400, Data, "More than one function fits", final;
    CURSOR_INVALID = "cursor_invalid", 400, Request, "The cursor is not valid here", final;
    AGGREGATES_OFF = "aggregates_off", 403, Access, "Aggregates are not allowed here", final;
}
