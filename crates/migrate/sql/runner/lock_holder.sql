select coalesce(string_agg(format('pid %s, %s, since %s', a.pid, coalesce(nullif(a.application_name, ''), 'no name'),
    to_char(a.backend_start at time zone 'utc', 'HH24:MI:SS"Z"')), '; '), 'unknown')
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    and l.classid = $1::bigint::oid and l.objid = $2::bigint::oid
