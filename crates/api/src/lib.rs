//! The native front door: /api/v1.
