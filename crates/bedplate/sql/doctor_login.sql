-- Facts about the login that serves requests; $1 are the roles of the API, $2 the schemas of the API.
select r.rolname::text as name,
       r.rolsuper as is_superuser,
       r.rolbypassrls as bypasses_rls,
       array(select wanted from unnest($1::text[]) as wanted
              where not exists (select from pg_catalog.pg_roles where rolname = wanted)) as absent,
       array(select role.rolname::text from pg_catalog.pg_roles role
              where role.rolname = any ($1::text[]) and not pg_catalog.pg_has_role(r.oid, role.oid, 'MEMBER')) as closed,
       (select count(*) from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relowner = r.oid and c.relkind in ('r', 'p') and n.nspname = any ($2::text[])) as owned
  from pg_catalog.pg_roles r
 where r.rolname = current_user
