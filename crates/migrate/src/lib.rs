//! Migrations: discover, run, roll back, ledger; the system schemas that apps expect.
