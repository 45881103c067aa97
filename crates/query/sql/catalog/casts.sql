-- Implicit casts by function between a domain and json or text: the domain's representation in the API
-- (PostgREST documentation, "Domain Representations").
select c.castsource, c.casttarget, c.castfunc
from pg_catalog.pg_cast c
join pg_catalog.pg_type source on source.oid = c.castsource
join pg_catalog.pg_type target on target.oid = c.casttarget
where c.castcontext = 'i' and c.castmethod = 'f'
  and (source.typtype = 'd' and c.casttarget in ('json'::regtype, 'text'::regtype)
       or target.typtype = 'd' and c.castsource in ('json'::regtype, 'text'::regtype))
order by c.castsource, c.casttarget;
