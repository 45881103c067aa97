insert into reports.totals (day, notes) values ('2025-02-11', 2);
