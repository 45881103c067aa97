//! The managed private PostgreSQL: find binaries, initdb, supervise, stop, recover.
