//! Connections to PostgreSQL: the request pipeline and its pools, the system pool, LISTEN, SQLSTATE to Problem.
