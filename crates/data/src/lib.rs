//! Runs plans: catalog snapshots and reload, plan cache, user transactions.
