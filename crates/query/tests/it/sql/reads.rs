//! Fields, filters, orders and pages of one level.

use super::{Fixture, request, shapes};

#[tokio::test]
async fn columns_and_casts() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "labels",
            "labels?select=*",
            "posts?select=id,title",
            "posts?select=id,number:id,id",
            "posts?select=id::text,rating::int,views::bigint,title::character varying",
            "posts?select=tags::text,state:status::text",
            "posts?select=id,tags,meta,doc,rating,score,period,took,raw,status,slug,published_at,words",
            "posts?select=meta->a,meta->b->0,second:meta->b->>1,doc->>k,raw:doc->k",
            "posts?select=tags->0,last:tags->>-1",
            "users?select=home,home->>city,settings->n->>x",
            "users?select=id,home->street",
            "posts?select=id,headline",
            "posts?select=id&headline=like.POST*&order=headline.desc",
            "profiles?select=user_id,paint",
            "profiles?select=user_id&paint=eq.#0003E8",
            "profiles?select=user_id&paint=in.(#0003E8,#000BB8)",
            "authors?select=id,name",
        ]
    ));
}

#[tokio::test]
async fn every_operator() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "posts?select=id&id=eq.1",
            "posts?select=id&title=neq.x&views=gt.1&rating=gte.2&score=lt.3&views=lte.4",
            "posts?select=id&title=like.*number*&body=ilike.text*",
            "posts?select=id&title=match.^Post&title=imatch.^post",
            "posts?select=id&editor_id=isdistinct.1",
            "posts?select=id&id=in.(1,2,3)",
            "posts?select=id&status=in.(draft,published)",
            "posts?select=id&status=not.in.(draft)",
            "posts?select=id&tags=in.(\"{even,n2}\",{})",
            "posts?select=id&body=is.null&editor_id=not.is.null",
            "posts?select=id&tags=cs.{even}&tags=cd.{even,n2}&tags=ov.{n2,n4}",
            "posts?select=id&meta=cs.{\"a\":1}",
            "posts?select=id&period=sl.[2025-01-01,2025-02-01)&period=sr.[2020-01-01,2020-02-01)",
            "posts?select=id&period=nxr.[2024-01-01,2024-02-01)&period=nxl.[2024-01-01,2024-02-01)",
            "posts?select=id&period=adj.[2023-01-01,2024-01-01)",
            "posts?select=id&title=like(any).{Post*,*2}&title=ilike(all).{*post*,*number*}",
            "posts?select=id&id=eq(any).{1,2}&views=gt(all).{1,2}",
            "posts?select=id&id=not.eq(any).{1,2}",
            "posts?select=id&title=fts.post&body=plfts(english).text quoted&title=phfts.post number",
            "posts?select=id&words=wfts(english).post",
            "posts?select=id&words=not.fts.missing",
            "posts?select=id&meta->a=eq.5&meta->>a=eq.5&doc->k=eq.5",
            "posts?select=id&or=(views.eq.1,and(views.gt.3,not.or(id.lt.5,id.gt.50)))",
            "posts?select=id&not.and=(views.eq.1,id.gt.2)",
        ]
    ));
}

#[tokio::test]
async fn orders_pages_and_counts() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "posts?select=id,title&order=published_at.desc",
            "posts?select=id&order=published_at.desc.nullslast,title.asc.nullsfirst",
            "posts?select=id&order=id.desc",
            "posts?select=id&order=meta->a.desc,doc->>k",
            "posts?select=id&limit=5&offset=10",
            "invoices?order=total",
            "pairs",
            "log",
            "authors?select=name&order=name",
            "posts?select=status&distinct=true&order=status.desc",
            "posts?select=status,views&distinct=true",
            "posts?select=id&views=gt.3&count=exact&limit=2",
            "posts?select=id&views=gt.3&count=planned",
            "posts?select=id&views=gt.3&count=estimated",
            "posts?select=status&distinct=true&count=exact",
            "posts?id=eq.3&select=id&count=exact",
            "invoices?region=eq.eu&number=eq.1",
            "users?email=eq.u1@example.org&select=id",
        ]
    ));
}

#[tokio::test]
async fn the_postgrest_dialect() {
    let mut fixture = Fixture::new().await;
    let queries = [
        "posts",
        "posts?select=*,id",
        "posts?select=id,title&id=eq.1",
        "posts?select=id&order=views.desc&limit=5&offset=5&count=exact",
        "posts?select=id,comments(body,users(name)),author_id(name)&comments.order=id",
        "posts?select=id,comments!inner()&comments.stars=eq.5",
        "posts?select=id,comments(),labels()&or=(comments.not.is.null,labels.is.null)",
        "posts?select=id,editor:editor_id(name)&editor=not.is.null",
        "users?select=name,...posts!author_id(titles:title)",
    ];
    let each: Vec<String> =
        queries.iter().map(|query| fixture.shape(query, &request::postgrest(query))).collect();
    super::snapshot!(each.join("\n"));
}

#[tokio::test]
async fn aggregates() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "posts?select=count()",
            "posts?select=count",
            "posts?select=total:count(),rating.sum(),rating.avg()::int,views.max(),first:published_at.min()",
            "posts?select=status,count()&order=count.desc",
            "posts?select=status,tags,views.sum()&order=status",
            "posts?select=kind:meta->b->>1,count()",
            "posts?select=rating::int.sum()&views=gt.2",
            "posts?select=status,count()&count=exact",
            "posts?select=author:users!author_id(name),count()",
            "posts?select=...users!author_id(name),count()",
            "users?select=name,posts!author_id(count())",
            "users?select=name,posts!author_id(status,count())",
            "posts?select=id,users!author_id(id.sum())",
            "posts?select=status,n:count()&n=gt.5&views=gt.2&count=exact",
            "posts?select=views,n:count(),rating.max()&or=(n.gt.6,max.is.null)",
            "users?select=id,posts!author_id(views,n:count())&posts.n=gt.1",
        ]
    ));
    fixture.same(
        "posts?select=status,count()&order=status",
        "select status, count(*) from api.posts group by 1 order by 1",
    );
    fixture.same(
        "posts?select=rating.sum(),rating.avg(),score.max()&id=lt.9&score=lt.5",
        "select sum(rating), avg(rating), max(score) from api.posts where id < 9 and score < 5",
    );
    fixture.same(
        "posts?select=views,n:count(),rating.max()&or=(n.gt.6,max.gt.60)&order=views",
        "select views, count(*) n, max(rating) from api.posts group by 1 having count(*) > 6 or max(rating) > 60 order by 1",
    );
    fixture.gate.aggregates = false;
    assert_eq!(fixture.refused(&request::get("posts?select=count()")).0, "aggregates_off");
}

#[tokio::test]
async fn answers_equal_plain_sql() {
    let mut fixture = Fixture::new().await;
    let all = "select * from api.posts";
    fixture.same("posts?limit=100", &format!("{all} order by id"));
    fixture.same("users?limit=100", "select * from api.users order by id");
    fixture.same(
        "profiles",
        "select user_id, motto, api.color_text(paint) paint from api.profiles order by user_id",
    );
    fixture.same("posts?body=is.null", &format!("{all} where body is null order by id"));
    fixture.same(
        "posts?or=(title.like.*1*,and(views.gt.5,status.eq.draft))&order=views.desc,id",
        &format!("{all} where title like '%1%' or (views > 5 and status = 'draft') order by views desc, id"),
    );
    fixture.same(
        "posts?tags=in.(\"{even,n2}\",\"{even,n4}\")",
        &format!("{all} where tags in ('{{even,n2}}', '{{even,n4}}') order by id"),
    );
    fixture.same(
        "posts?select=id,a:meta->a,b:meta->b->>0,t:tags->0&id=lt.8",
        "select id, meta->'a' a, meta->'b'->>0 b, to_jsonb(tags)->0 t from api.posts where id < 8 order by id",
    );
    fixture
        .same("posts?select=id&meta->a=gt.50", "select id from api.posts where meta->'a' > '50' order by id");
    fixture.same(
        "posts?select=id,headline&headline=eq.POST NUMBER 7",
        "select id, upper(title) headline from api.posts where id = 7",
    );
    fixture.same(
        "posts?select=status&distinct=true&order=status.desc",
        "select distinct status from api.posts order by status desc",
    );
    fixture.same(
        "profiles?paint=in.(#0003E8,#000BB8)&select=user_id",
        "select user_id from api.profiles where paint::int in (1000, 3000) order by 1",
    );
    fixture.same(
        "posts?select=id&words=fts(english).numbers&limit=3",
        "select id from api.posts order by id limit 3",
    );
}

#[tokio::test]
async fn counts_count() {
    let mut fixture = Fixture::new().await;
    for (query, expected) in [
        ("posts?views=gt.3&limit=2&count=exact", 36),
        ("posts?select=status&distinct=true&count=exact", 3),
        ("posts?select=status,count()&count=exact", 3),
        ("posts?select=id,users!author_id!inner(id)&users.name=eq.user 3&count=exact", 4),
        ("users?select=id,posts!author_id!inner(id)&posts.views=eq.9&count=exact", 3),
        ("posts?views=gt.3&count=estimated", 36),
    ] {
        let request = request::get(query);
        let planned = fixture.plan(&request).unwrap();
        let answer = fixture.wire.run(&planned.count.unwrap().sql, &request.values);
        assert_eq!(answer.int8(0), expected, "{query}");
    }
    let request = request::get("posts?count=planned");
    let planned = fixture.plan(&request).unwrap();
    let text = fixture.wire.run(&planned.count.unwrap().sql, &request.values).text(0).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["Plan"]["Plan Rows"], 60);
}

/// How often the nested list's scan ran.
fn scans_of_comments(fixture: &mut Fixture, query: &str) -> Vec<String> {
    let request = request::get(query);
    let planned = fixture.plan(&request).unwrap();
    let plan = fixture.wire.analyze(&planned.main.sql, &request.values);
    let scans = plan.lines().filter(|line| line.contains("on comments"));
    scans.map(|line| line.rsplit("loops=").next().unwrap().trim_end_matches(')').to_owned()).collect()
}

#[tokio::test]
async fn nested_lists_are_made_for_the_rows_of_the_page_only() {
    let mut fixture = Fixture::new().await;
    for query in [
        "posts?select=id,comments(body)&limit=5",
        "posts?select=id,comments(body)&order=title.desc&limit=5",
        "posts?select=id,comments(body),author:author_id(name)&order=views,title&limit=5&offset=20",
        "posts?select=id,...comments(body,stars)&order=views&limit=5&offset=20",
    ] {
        assert_eq!(scans_of_comments(&mut fixture, query), ["5"], "{query}");
    }
    fixture.same(
        "posts?select=id,comments(id),author:author_id(name)&order=views,title&limit=5&offset=20&comments.order=id",
        "select p.id, (select coalesce(json_agg(json_build_object('id', c.id) order by c.id), '[]') from api.comments c \
         where c.post_id = p.id) as comments, json_build_object('name', u.name) author from api.posts p join api.users \
         u on u.id = p.author_id order by views, title, p.id limit 5 offset 20",
    );
}

#[tokio::test]
async fn a_page_reads_an_index_and_joins_only_its_rows() {
    let mut fixture = Fixture::new().await;
    // Enough rows that a sort would not be the cheaper way.
    fixture.wire.simple("reset role");
    fixture.wire.simple(
        "insert into api.posts (author_id, title, published_at) select 1 + i % 15, 'more', now() - i * interval '1 second' \
         from generate_series(1, 20000) i; analyze api.posts",
    );
    fixture.wire.simple("set role query_reader");
    let request = request::get(
        "posts?select=id,title,users!author_id(name),comments(body)&published_at=lt.2100-01-01&limit=20\
         &order=published_at.desc.nullsfirst,id.desc",
    );
    let planned = fixture.plan(&request).unwrap();
    let plan = fixture.wire.explain(&planned.main.sql, &request.values);
    assert!(plan.contains("posts_published_at_id_idx"), "{plan}");
    assert!(!plan.contains("Sort Key: t0"), "{plan}");
}
