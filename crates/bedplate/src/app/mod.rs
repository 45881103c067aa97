//! The app: its parts, made from the settings.

pub mod keys;
