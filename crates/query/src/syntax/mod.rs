//! The query-string grammar shared by the front doors (PostgREST's), parsed into the IR, and printed back.
