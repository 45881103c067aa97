//! Catalog model, query IR, planner, SQL writer, row encoder. No I/O.
