-- Who may stand in the way: the oldest transactions of this database.
select coalesce(string_agg(format('pid %s (%s, %s) has been in a transaction for %s s', t.pid, t.usename,
    coalesce(nullif(t.application_name, ''), 'no name'), t.seconds), '; '), '')
from (
    select pid, usename, application_name, extract(epoch from now() - xact_start)::bigint as seconds
    from pg_catalog.pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
        and xact_start < now() - interval '1 second'
    order by xact_start
    limit 3
) t
