//! The HTTP kit: listener, request pipeline, routes, problem rendering, health and metrics.
