-- What the pre-config function has set in this transaction.
select n.name, current_setting(n.name, true)
from unnest($1::text[]) n (name)
where current_setting(n.name, true) is not null
