//! Assembly: the app from its parts, its lifecycle, and the command line.

pub mod app;
pub mod cli;
