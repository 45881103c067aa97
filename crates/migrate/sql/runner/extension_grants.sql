-- An extension that the superuser made: hand the owner (setting bedplate.owner) what it would have as its maker.
do $grants$
declare
    owner constant name := current_setting('bedplate.owner');
    extension constant name := current_setting('bedplate.extension');
    made record;
begin
    for made in
        select d.classid, d.objid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_extension'::regclass
        where e.extname = extension and d.deptype = 'e'
    loop
        if made.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass then
            execute format('grant usage on foreign data wrapper %I to %I with grant option',
                (select fdwname from pg_catalog.pg_foreign_data_wrapper where oid = made.objid), owner);
        elsif made.classid = 'pg_catalog.pg_namespace'::regclass then
            execute format('grant usage on schema %s to %I with grant option', made.objid::regnamespace, owner);
        elsif made.classid = 'pg_catalog.pg_class'::regclass then
            if (select relkind in ('r', 'p', 'v', 'm', 'f') from pg_catalog.pg_class where oid = made.objid) then
                execute format('grant all on table %s to %I with grant option', made.objid::regclass, owner);
            elsif (select relkind = 'S' from pg_catalog.pg_class where oid = made.objid) then
                execute format('grant all on sequence %s to %I with grant option', made.objid::regclass, owner);
            end if;
        elsif made.classid = 'pg_catalog.pg_proc'::regclass then
            execute format('grant execute on routine %s to %I with grant option', made.objid::regprocedure, owner);
        end if;
    end loop;
end
$grants$
