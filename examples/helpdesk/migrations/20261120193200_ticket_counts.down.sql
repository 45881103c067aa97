drop function public.ticket_counts(bigint);
