select e.enumtypid, e.enumlabel
from pg_catalog.pg_enum e
order by e.enumtypid, e.enumsortorder;
