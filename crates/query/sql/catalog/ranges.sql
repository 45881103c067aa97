select r.rngtypid, r.rngsubtype, r.rngmultitypid
from pg_catalog.pg_range r
order by r.rngtypid;
