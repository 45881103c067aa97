drop table public.attachments;
drop table public.comments;
drop table public.tickets;
drop type public.ticket_status;
drop function app.touch();
