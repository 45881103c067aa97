select p.polrelid, p.polname, p.polpermissive, p.polcmd, p.polroles,
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
from pg_catalog.pg_policy p
order by p.polrelid, p.polname;
