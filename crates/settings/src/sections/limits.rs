use crate::ByteSize;
use crate::table::section;

section! {
    /// What one request may ask for. Past a limit the answer is a clear error, never a cut-off result.
    pub struct Limits {
        /// Size of a request's body, after decompression.
        body_bytes: ByteSize = ByteSize::mib(2), range(ByteSize::kib(1), ByteSize::mib(1024));
        /// Size of a request's head.
        head_bytes: ByteSize = ByteSize::kib(32), range(ByteSize::kib(4), ByteSize::mib(1));
        /// Number of header fields.
        header_count: usize = 100, range(16, 1_000);
        /// Length of path and query together.
        url_bytes: ByteSize = ByteSize::kib(8), range(ByteSize::kib(1), ByteSize::mib(1));
        /// Nesting of JSON in a body.
        json_depth: usize = 64, range(2, 128);
        /// Keys in all objects of a body together; ten times as many at `/rest/v1`, where clients insert whole lists.
        json_keys: usize = 10_000, range(1, 10_000_000);
        /// Items of one JSON array; ten times as many at `/rest/v1`.
        array_items: usize = 10_000, range(1, 10_000_000);
        /// Filter terms in one request, those inside `and`, `or` and embeds included.
        filter_terms: usize = 50, range(1, 1_000);
        /// Items of one `in.(…)` list.
        in_items: usize = 1_000, range(1, 30_000);
        /// Depth of embedded relations.
        embed_depth: usize = 5, range(0, 20);
        /// Columns and embeds in one `select`, on all levels.
        select_items: usize = 200, range(1, 10_000);
        /// Columns that one `order` may name.
        order_keys: usize = 5, range(1, 50);
        /// Rows on a page when the request does not say.
        page_size_default: usize = 20, range(1, 100_000);
        /// Rows on a page at most.
        page_size_max: usize = 100, range(1, 100_000);
        /// Rows written by one request.
        write_rows: usize = 1_000, range(1, 100_000);
        /// Operations of one batch (`POST /api/v1/batch`).
        batch_operations: usize = 100, range(1, 1_000);
        /// Size of the body of a batch.
        batch_bytes: ByteSize = ByteSize::mib(8), range(ByteSize::kib(1), ByteSize::mib(1024));
    }
}
