//! Opaque, authenticated page cursors.
