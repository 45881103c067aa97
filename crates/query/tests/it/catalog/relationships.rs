//! Ways between relations, views traced.

use bedplate_query::catalog::*;

use super::{catalog_of, names, relation};

/// `cardinality target [columns] by constraint`, sorted as the catalog sorts.
fn ways(catalog: &Catalog, from: &str) -> Vec<String> {
    let id = relation(catalog, from);
    let pairs = |here: RelationId, there: RelationId, pairs: &[(ColumnId, ColumnId)]| {
        let pair = |(a, b): &(ColumnId, ColumnId)| {
            format!("{}={}", names(catalog, here, &[*a])[0], names(catalog, there, &[*b])[0])
        };
        pairs.iter().map(pair).collect::<Vec<_>>().join(",")
    };
    let describe = |r: &Relationship| {
        let target = catalog.relation(r.target).name.to_string();
        let via = match &r.via {
            Via::ForeignKey { constraint, columns, on_source } => {
                let side = if *on_source { "" } else { "reversed " };
                format!("{side}{constraint} ({})", pairs(id, r.target, columns))
            }
            Via::Junction { junction, source, target: there, .. } => format!(
                "{} ({}) ({})",
                catalog.relation(*junction).name,
                pairs(id, *junction, source),
                pairs(*junction, r.target, there)
            ),
            Via::Computed { function } => format!("function {}", catalog.function(*function).name),
        };
        format!("{:?} {target} {via}", r.cardinality)
    };
    catalog.relationships(id).iter().map(describe).collect()
}

#[tokio::test]
async fn foreign_keys_in_both_directions_to_itself_and_one_to_one() {
    let catalog = catalog_of(
        "create table public.users (id int primary key, boss int constraint boss references public.users);
         create table public.profiles (id int primary key constraint profile references public.users);
         create table public.posts (a int, b int, author int constraint author references public.users,
             editor int constraint editor references public.users, primary key (a, b));
         create table public.notes (id int primary key, a int, b int,
             constraint note foreign key (b, a) references public.posts (b, a));
         create schema private;
         create table private.secrets (id int primary key references public.users);",
    )
    .await;
    assert_eq!(
        ways(&catalog, "users"),
        [
            "OneToMany posts reversed author (id=author)",
            "OneToMany posts reversed editor (id=editor)",
            "OneToOne profiles reversed profile (id=id)",
            "ManyToOne users boss (boss=id)",
            "OneToMany users reversed boss (id=boss)",
        ]
    );
    assert_eq!(ways(&catalog, "profiles"), ["OneToOne users profile (id=id)"]);
    assert_eq!(ways(&catalog, "notes"), ["ManyToOne posts note (b=b,a=a)"]);
    let secrets = catalog.find_any_relation("private", "secrets").unwrap();
    assert!(catalog.relationships(secrets).is_empty());
    assert_eq!(catalog.relation(secrets).foreign_keys.len(), 1);
}

#[tokio::test]
async fn many_to_many_needs_both_keys_within_the_primary_key() {
    let catalog = catalog_of(
        "create table public.films (id int primary key);
         create table public.actors (id int primary key);
         create table public.roles (film int constraint film references public.films,
             actor int constraint actor references public.actors, name text, primary key (film, actor, name));
         create table public.loose (id int primary key, film int references public.films, actor int references public.actors);",
    )
    .await;
    assert_eq!(
        ways(&catalog, "films"),
        [
            "ManyToMany actors roles (id=film) (actor=id)",
            "OneToMany loose reversed loose_film_fkey (id=film)",
            "OneToMany roles reversed film (id=film)",
        ]
    );
}

#[tokio::test]
async fn views_show_the_keys_of_their_tables_also_through_other_views() {
    let catalog = catalog_of(
        "create schema private;
         create table private.users (id int primary key, name text, hidden int);
         create table public.posts (id int primary key, author int constraint author references private.users, title text);
         create view public.people with (security_invoker = true) as
             select u.id as person, u.name, upper(u.name) as loud from private.users u;
         create view public.people2 as select name, person as nr from public.people;
         create view public.articles as
             with recent as (select * from public.posts) select r.title as \"odd } (name\", r.author, r.id from recent r;
         create view public.joined as select p.id, p.author, a.nr as author_nr from public.posts p join public.people2 a on a.nr = p.author;
         create materialized view public.stored as select id, author from public.posts;
         create view public.no_key as select title from public.posts;
         create view public.unioned as select id, author from public.posts union all select 1, 2;
         create view public.grouped as select author, count(*) from public.posts group by author;",
    )
    .await;
    let key = |name| {
        let id = relation(&catalog, name);
        names(&catalog, id, &catalog.relation(id).primary_key)
    };
    assert_eq!(key("people"), ["person"]);
    assert_eq!(key("people2"), ["nr"]);
    assert_eq!(key("articles"), ["id"]);
    assert_eq!(key("stored"), ["id"]);
    assert_eq!(key("joined"), ["id", "author_nr"]);
    assert!(key("no_key").is_empty() && key("unioned").is_empty());
    let people2 = relation(&catalog, "people2");
    let users = catalog.find_any_relation("private", "users").unwrap();
    let base = catalog.column(people2, catalog.find_column(people2, "nr").unwrap()).base.unwrap();
    assert_eq!((base.0, names(&catalog, users, &[base.1])), (users, vec!["id".to_owned()]));
    assert_eq!(
        ways(&catalog, "posts"),
        [
            "ManyToOne joined author (author=author_nr)",
            "ManyToOne people author (author=person)",
            "ManyToOne people2 author (author=nr)",
        ],
        "the table itself is in a schema that is not served"
    );
    let reads: Vec<_> = catalog
        .relation(relation(&catalog, "joined"))
        .reads
        .iter()
        .map(|r| catalog.relation(*r).name.as_str())
        .collect();
    assert_eq!(reads, ["posts", "people2"]);
    let articles = ways(&catalog, "articles");
    assert!(articles.contains(&"ManyToOne people2 author (author=nr)".to_owned()), "{articles:?}");
    assert!(ways(&catalog, "people2").contains(&"OneToMany posts reversed author (nr=author)".to_owned()));
    assert!(ways(&catalog, "grouped").contains(&"ManyToOne people author (author=person)".to_owned()));
    assert!(ways(&catalog, "unioned").is_empty());
}

#[tokio::test]
async fn views_know_what_can_be_written() {
    let catalog = catalog_of(
        "create table public.t (id int primary key, name text, twice int generated always as (id * 2) stored);
         create view public.plain with (security_invoker = on) as select id, name, twice, id + 1 as next from public.t;
         create view public.above as select id, next from public.plain;
         create view public.counted as select name, count(*) as n from public.t group by name;
         create function public.noop() returns trigger language plpgsql as 'begin return new; end';
         create trigger noop instead of insert on public.counted for each row execute function public.noop();",
    )
    .await;
    let of = |name| catalog.relation(relation(&catalog, name));
    let writable = |name| {
        let columns = of(name).columns.iter().filter(|c| c.updatable);
        columns.map(|c| c.name.to_string()).collect::<Vec<_>>()
    };
    let verbs = |name| (of(name).insertable, of(name).updatable, of(name).deletable);
    assert_eq!(verbs("plain"), (true, true, true));
    assert!(of("plain").security_invoker && !of("above").security_invoker);
    assert_eq!(writable("plain"), ["id", "name"]);
    assert_eq!(writable("above"), ["id"]);
    assert_eq!(verbs("counted"), (true, false, false));
    assert_eq!(writable("counted"), ["name", "n"]);
}

#[tokio::test]
async fn functions_of_rows_are_relationships_and_take_precedence() {
    let catalog = catalog_of(
        "create table public.users (id int primary key);
         create table public.posts (id int primary key, author int references public.users);
         create function public.users(public.posts) returns setof public.users rows 1 language sql stable
             as 'select * from public.users where id = $1.author';
         create function public.popular(public.users) returns setof public.posts language sql stable
             as 'select * from public.posts where author = $1.id';
         create function public.label(public.users) returns text language sql stable as 'select $1.id::text';",
    )
    .await;
    assert_eq!(ways(&catalog, "posts"), ["ManyToOne users function users"]);
    assert_eq!(
        ways(&catalog, "users"),
        ["OneToMany posts function popular", "OneToMany posts reversed posts_author_fkey (id=author)"]
    );
    let users = relation(&catalog, "users");
    let label = catalog.find_row_function(users, "label").unwrap();
    assert_eq!(catalog.function(label).returns, Returns::Scalar { type_oid: 25, set: false });
}

#[tokio::test]
async fn partitioned_tables_have_the_keys_and_partitions_have_none() {
    let catalog = catalog_of(
        "create table public.users (id int primary key);
         create table public.events (at date, id int, who int constraint who references public.users, primary key (at, id))
             partition by range (at);
         create table public.events_1 partition of public.events for values from ('2026-01-01') to ('2027-01-01');
         create table public.marks (at date, id int, constraint mark foreign key (at, id) references public.events);",
    )
    .await;
    assert_eq!(ways(&catalog, "users"), ["OneToMany events reversed who (id=who)"]);
    assert_eq!(
        ways(&catalog, "events"),
        ["OneToMany marks reversed mark (at=at,id=id)", "ManyToOne users who (who=id)"]
    );
}
