-- pg_roles and not pg_authid: everybody may read it.
select r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolinherit
from pg_catalog.pg_roles r
order by r.rolname;
