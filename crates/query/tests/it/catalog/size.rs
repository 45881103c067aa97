//! A large schema loads fast.

use std::time::{Duration, Instant};

use bedplate_query::catalog::assemble;
use bedplate_testkit::Database;

/// 2,000 tables of 10 columns with keys, foreign keys, policies and grants. The aim is 1.5 s in a debug build on an idle
/// machine; the assertion leaves room for a busy one.
#[tokio::test]
async fn two_thousand_tables() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    for from in (1..=2000).step_by(250) {
        let sql = format!(
            "set synchronous_commit = off; do $$ begin for i in {from}..{} loop execute format('
                create table public.t%1$s (id bigint generated always as identity primary key, owner uuid not null,
                    title varchar(80) not null check (char_length(title) > 0), body text, status text default ''open''
                    check (status in (''open'', ''closed'')), parent bigint %2$s, tags text[], data jsonb,
                    created_at timestamptz not null default now(), updated_at timestamptz default now());
                create unique index on public.t%1$s (owner, title);
                alter table public.t%1$s enable row level security;
                create policy mine on public.t%1$s to pg_monitor using (owner = (select null::uuid));
                grant select, insert, update, delete on public.t%1$s to pg_monitor, pg_signal_backend',
                i, case when i > 1 then format('references public.t%s', i / 2) else '' end);
            end loop; end $$",
            from + 249
        );
        client.batch_execute(&sql).await.unwrap();
    }
    client.batch_execute("create view public.v as select * from public.t7; analyze pg_class").await.unwrap();
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let answer = super::answer(&client).await;
        let asked = start.elapsed();
        let catalog = assemble(&answer, &["public"]).unwrap();
        let total = start.elapsed();
        println!("asked in {asked:?}, put together in {:?}", total - asked);
        assert_eq!(catalog.relations.len(), 2001);
        best = best.min(total);
    }
    assert!(best < Duration::from_secs(6), "{best:?}");
    let start = Instant::now();
    let fingerprint = bedplate_query::catalog::introspect::FINGERPRINT;
    let row = client.query_one(fingerprint, &[]).await.unwrap();
    println!("fingerprint in {:?}: {}", start.elapsed(), row.get::<_, String>(0));
}
