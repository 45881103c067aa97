//! Bounds on what one request may ask for. Each is checked while parsing or planning, before any SQL.

/// See the defaults table in docs/reference/settings.md (`[limits]`).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Filter terms in the whole request.
    pub filter_terms: usize,
    /// Nesting of and/or trees.
    pub filter_depth: usize,
    /// Items of one `in` list or of one any/all array.
    pub in_items: usize,
    /// Levels of embedding below the resource.
    pub embed_depth: usize,
    /// Embedded relations in the whole request.
    pub embeds: usize,
    /// Items of one select list.
    pub select_items: usize,
    pub order_keys: usize,
    /// Rows of a page when the caller names no limit.
    pub page_default: u64,
    /// The most rows of a page.
    pub page_max: u64,
    /// The most rows of one embedded list.
    pub embed_rows_max: u64,
    /// Rows of one bulk write.
    pub write_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            filter_terms: 50,
            filter_depth: 10,
            in_items: 1000,
            embed_depth: 5,
            embeds: 20,
            select_items: 200,
            order_keys: 5,
            page_default: 20,
            page_max: 100,
            embed_rows_max: 1000,
            write_rows: 1000,
        }
    }
}
