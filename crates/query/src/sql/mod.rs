//! The one SQL writer.
