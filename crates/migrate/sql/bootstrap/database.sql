-- Run by the superuser, once per database, in one transaction: hands the database to its owner (bedplate.owner).
do $database$
declare
    owner constant name := current_setting('bedplate.owner');
begin
    if (select d.datdba::regrole::text from pg_catalog.pg_database d where d.datname = current_database())
        is distinct from quote_ident(owner)
    then
        execute format('alter database %I owner to %I', current_database(), owner);
    end if;
    execute format('create schema if not exists bedplate authorization %I', owner);
end
$database$;
