//! Assembly: the app builder, lifecycle, CLI.
