select version, name, checksum, adopted, duration_ms,
    to_char(applied_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as applied_at
from bedplate.migrations
order by version
