-- For databases where no event trigger does it.
select pg_notify('bedplate', 'reload')
