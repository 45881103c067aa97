-- inherit_option and set_option came with PostgreSQL 16: NULL before.
select m.roleid, m.member, to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option'
from pg_catalog.pg_auth_members m
order by m.roleid, m.member;
