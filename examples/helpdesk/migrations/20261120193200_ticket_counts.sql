-- A function that the API serves as POST /api/v1/rpc/ticket_counts: it runs as the caller, so row level security holds.
create function public.ticket_counts(organization bigint)
  returns table (status public.ticket_status, tickets bigint)
  language sql stable set search_path = ''
  as $$
    select t.status, count(*) from public.tickets t
    where t.organization_id = ticket_counts.organization
    group by t.status order by t.status
  $$;
comment on function public.ticket_counts is 'How many tickets of an organization are in each status.';
