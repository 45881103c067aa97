//! Rows to JSON, straight into the response buffer.
