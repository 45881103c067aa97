//! Embedded relations: shapes, and answers against plain SQL.

use super::{Fixture, request, shapes};

#[tokio::test]
async fn to_one() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "posts?select=id,users!author_id(name)",
            "posts?select=id,author:author_id(id,name)",
            "posts?select=id,users!posts_editor(name),author:users!posts_author_id_fkey(name)",
            "posts?select=id,editor:posts_editor!inner(name)",
            "posts?select=id,author:author_id(name,manager_id(name))",
            "posts?select=id,author:author_id(name,manager_id!inner(name))",
            "posts?select=id,author:author_id!inner(name,manager_id!inner(name))",
            "posts?select=id,editor:editor_id(name)&editor.name=like.user*",
            "posts?select=id,editor:editor_id()&editor=is.null",
            "posts?select=id,editor:editor_id(name)&editor=not.is.null&count=exact",
            "posts?select=id,editor:editor_id!inner()&editor.name=eq.user 2",
            "posts?select=id,...author_id(author:name,joined)",
            "posts?select=id,...author_id(author:name,...manager_id(boss:name))",
            "posts?select=id,author:author_id(name)&order=author(name).desc,id",
            "posts?select=id,author:author_id(name)&or=(author.name.eq.user 3,views.gt.8)",
            "posts?select=id,editor:editor_id(name)&or=(editor.bio.is.null,views.gt.8)",
            "users?select=id,profiles(motto,paint)",
            "profiles?select=motto,users(name)",
            "profiles?select=motto,users(name,posts!author_id(id))",
            "lines?select=id,invoices(total)",
            "users?select=id,best_post(id,title)",
            "users?select=id,best_post!inner(id,comments(body))",
            "posts?select=id,users!author_id(name)&count=exact",
            "posts?select=id,bylines!posts_editor(name)&bylines.title=like.*1*",
            "posts?select=id,bylines!posts_editor!inner(name)&count=exact",
        ]
    ));
}

#[tokio::test]
async fn to_many() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "posts?select=id,comments(*)",
            "posts?select=id,comments(body,stars)&comments.stars=gt.2&comments.order=stars.desc&comments.limit=2",
            "posts?select=id,comments(body,users(name))",
            "posts?select=id,comments(body,users!inner(name))&comments.users.name=eq.user 3",
            "posts?select=id,comments!inner(body)&comments.stars=eq.5&count=exact",
            "posts?select=id,comments()&comments=is.null",
            "posts?select=id,comments(body)&comments=not.is.null&comments.body=like.*1*",
            "posts?select=id,labels(name)",
            "posts?select=id,labels!post_labels!inner(name)&labels.name=in.(label 1,label 2)",
            "labels?select=name,posts(id,author:author_id(name))",
            "posts?select=id,...comments(body,stars)",
            "posts?select=id,...comments(body,users(name))&comments.order=id.desc&comments.limit=3",
            "posts?select=id,author:author_id(name,posts!author_id(id,comments(id)))",
            "users?select=id,users!manager_id(name)",
            "users?select=id,reports:users(id,reports:users(id))",
            "users?select=id,notes(body)&notes.stars=gt.3",
            "invoices?select=region,lines(amount)",
            "posts?select=id,comments(id)&or=(comments.body.eq.comment 3,views.eq.9)",
            "posts?select=id,comments(id,users())&and=(comments.users.name.eq.user 5,views.gte.0)",
            "posts?select=id,comments(stars)&comments.distinct=true",
            "posts?select=id,comments(count)",
            "posts?select=id,comments(status:stars,count())&comments.order=count.desc",
            "authors?select=name,posts!posts_author_id_fkey(id)&limit=3",
            "posts?select=id,comments(id),labels(id),post_labels(label_id)",
        ]
    ));
}

#[tokio::test]
async fn nested_paths() {
    let mut fixture = Fixture::new().await;
    super::snapshot!(shapes(
        &mut fixture,
        &[
            "users!author_id/1/posts?select=id",
            "posts/1/comments?select=id&stars=gt.1&count=exact",
            "users!author_id/1/posts/15/comments?select=id",
            "posts/3/labels?select=name",
            "invoices/eu,1/lines",
            "users/1/profiles",
            "posts/4/comments?id=eq.3",
        ]
    ));
    fixture.same(
        "users!author_id/2/posts?select=id",
        "select id from api.posts where author_id = 2 order by id",
    );
    fixture.same("posts/3/labels?select=name", "select name from api.labels where id in (1, 5) order by id");
    let found = request::get("users!author_id/2/posts/1/comments");
    let planned = fixture.plan(&found).unwrap();
    assert_eq!(fixture.wire.run(&planned.guards[0], &found.values).rows.len(), 1);
    let strange = request::get("users!author_id/2/posts/2/comments");
    assert_eq!(fixture.wire.run(&planned.guards[0], &strange.values).rows.len(), 0);
}

#[tokio::test]
async fn answers_equal_plain_sql() {
    let mut fixture = Fixture::new().await;
    fixture.same(
        "posts?select=id,editor:editor_id(name,manager_id(name))&limit=100",
        "select p.id, (select row_to_json(x) from (select u.name, (select row_to_json(y) from (select m.name from \
         api.users m where m.id = u.manager_id) y) manager_id from api.users u where u.id = p.editor_id) x) editor \
         from api.posts p order by p.id",
    );
    fixture.same(
        "posts?select=id,editor:editor_id(name,manager_id!inner(name))&limit=100",
        "select p.id, (select row_to_json(x) from (select u.name, (select row_to_json(y) from (select m.name from \
         api.users m where m.id = u.manager_id) y) manager_id from api.users u where u.id = p.editor_id and \
         u.manager_id is not null) x) editor from api.posts p order by p.id",
    );
    fixture.same(
        "posts?select=id,comments(body,users(name))&comments.stars=gt.2&comments.order=stars.desc,id&comments.limit=2&limit=100",
        "select p.id, (select coalesce(json_agg(c), '[]') from (select c.body, (select row_to_json(u) from (select \
         name from api.users u where u.id = c.user_id) u) users from api.comments c where c.post_id = p.id and \
         c.stars > 2 order by stars desc, id limit 2) c) as comments from api.posts p order by p.id",
    );
    fixture.same(
        "posts?select=id,comments!inner(id)&comments.stars=eq.5&comments.order=id",
        "select p.id, (select json_agg(json_build_object('id', c.id) order by id) from api.comments c where c.post_id \
         = p.id and stars = 5) as comments from api.posts p where exists (select from api.comments c where c.post_id \
         = p.id and stars = 5) order by p.id",
    );
    fixture.same(
        "posts?select=id,comments()&comments=is.null",
        "select id from api.posts p where not exists (select from api.comments c where c.post_id = p.id) order by id",
    );
    fixture.same(
        "posts?select=id,labels(name)&limit=100",
        "select p.id, (select coalesce(json_agg(json_build_object('name', l.name) order by l.id), '[]') from api.labels \
         l join api.post_labels j on j.label_id = l.id where j.post_id = p.id) as labels from api.posts p order by id",
    );
    fixture.same(
        "posts?select=id,...comments(body,stars)&comments.order=id&limit=100",
        "select p.id, (select coalesce(json_agg(body order by id), '[]') from api.comments c where c.post_id = p.id) \
         body, (select coalesce(json_agg(stars order by id), '[]') from api.comments c where c.post_id = p.id) stars \
         from api.posts p order by id",
    );
    fixture.same(
        "posts?select=id,comments(id),editor:editor_id(id)&or=(comments.body.eq.comment 3,editor.name.eq.user 2)\
         &comments.limit=0",
        "select p.id, json_build_array() as comments, (select row_to_json(x) from (select u.id from api.users u where \
         u.id = p.editor_id) x) editor from api.posts p where exists (select from api.comments c where c.post_id = \
         p.id and c.body = 'comment 3') or p.editor_id = 2 order by id",
    );
    fixture.same(
        "posts?select=id,editor:editor_id()&or=(editor.bio.is.null,views.gt.8)&limit=100",
        "select p.id from api.posts p left join api.users u on u.id = p.editor_id where (u.id is not null and u.bio is \
         null) or views > 8 order by p.id",
    );
    fixture.same(
        "users?select=id,best_post(id),notes(id)&limit=100&notes.order=id",
        "select u.id, (select row_to_json(x) from (select p.id from api.posts p where p.author_id = u.id order by \
         rating desc nulls last, id limit 1) x) best_post, (select coalesce(json_agg(json_build_object('id', c.id) \
         order by c.id), '[]') from api.comments c where c.user_id = u.id) notes from api.users u order by u.id",
    );
    fixture.same(
        "posts?select=id,author:author_id(name)&order=author(name).desc,id&limit=100",
        "select p.id, json_build_object('name', u.name) author from api.posts p join api.users u on u.id = p.author_id \
         order by u.name desc, p.id",
    );
    fixture.same(
        "users?select=id,posts!author_id(status,count())&posts.order=status&limit=5",
        "select u.id, (select coalesce(json_agg(x), '[]') from (select status, count(*) from api.posts p where \
         p.author_id = u.id group by status order by status) x) posts from api.users u order by id limit 5",
    );
    fixture.same(
        "users?select=id,profiles(motto,paint)&limit=5",
        "select id, (select row_to_json(x) from (select motto, api.color_text(paint) paint from api.profiles where \
         user_id = u.id) x) profiles from api.users u order by id limit 5",
    );
}

#[tokio::test]
async fn inner_embeds_and_null_tests_equal_plain_sql() {
    let mut fixture = Fixture::new().await;
    fixture.same(
        "posts?select=id,labels!inner(name)&labels.name=in.(label 1,label 2)&labels.order=name&limit=100",
        "select p.id, (select json_agg(json_build_object('name', l.name) order by l.name) from api.labels l join \
         api.post_labels j on j.label_id = l.id where j.post_id = p.id and l.id in (1, 2)) as labels from api.posts p \
         where exists (select from api.post_labels j where j.post_id = p.id and j.label_id in (1, 2)) order by p.id",
    );
    fixture.same(
        "posts?select=id,labels()&labels=is.null&labels.id=lt.3&limit=100",
        "select p.id from api.posts p where not exists (select from api.post_labels j where j.post_id = p.id and \
         j.label_id < 3) order by id",
    );
    fixture.same(
        "users?select=id,posts!author_id!inner(id,comments!inner(stars))&posts.comments.stars=eq.5&posts.order=id\
         &posts.comments.order=id",
        "select u.id, (select json_agg(json_build_object('id', p.id, 'comments', (select json_agg(json_build_object(\
         'stars', stars)) from api.comments c where c.post_id = p.id and stars = 5)) order by p.id) from api.posts p \
         where p.author_id = u.id and exists (select from api.comments c where c.post_id = p.id and stars = 5)) as posts \
         from api.users u where exists (select from api.posts p join api.comments c on c.post_id = p.id where \
         p.author_id = u.id and stars = 5) order by u.id",
    );
    fixture.same(
        "posts?select=id,comments(users())&comments.limit=0&or=(comments.users.name.eq.user 5,id.eq.1)",
        "select p.id, json_build_array() as comments from api.posts p where exists (select from api.comments c where \
         c.post_id = p.id and c.user_id = 5) or id = 1 order by id",
    );
    fixture.same(
        "users?select=id,...posts!author_id!inner(title)&posts.views=eq.9&posts.order=id",
        "select u.id, (select json_agg(title order by p.id) from api.posts p where author_id = u.id and views = 9) title \
         from api.users u where exists (select from api.posts p where author_id = u.id and views = 9) order by id",
    );
}

#[tokio::test]
async fn a_view_that_repeats_its_key_repeats_no_parent() {
    let mut fixture = Fixture::new().await;
    fixture.same(
        "posts?select=id,bylines!posts_editor(name)&limit=100",
        "select p.id, (select json_build_object('name', u.name) from api.users u where u.id = p.editor_id and exists \
         (select from api.posts q where q.author_id = u.id)) bylines from api.posts p order by p.id",
    );
}

#[tokio::test]
async fn ways_are_named_and_ambiguity_is_told() {
    let fixture = Fixture::new().await;
    let problem = fixture.plan(&request::get("posts?select=users(name)")).unwrap_err();
    assert_eq!(problem.code().name, "ambiguous_relationship");
    let candidates: Vec<&str> = problem.fields().keys().map(String::as_str).collect();
    assert!(candidates.contains(&"users!posts_editor"), "{candidates:?}");
    assert!(candidates.contains(&"users!posts_author_id_fkey"), "{candidates:?}");
    let about = &problem.fields()["users!posts_editor"];
    assert_eq!(about[0], "many-to-one");
    assert_eq!(about[1], "posts_editor using posts(editor_id) and users(id)");
    assert_eq!(about[2], "posts with users");

    assert_eq!(
        fixture.refused(&request::get("posts?select=coments(id)")),
        ("unknown_relationship".into(), Some("Did you mean \"comments\"?".into()))
    );
    for query in [
        "posts?select=id,comments(id)&order=comments(id)",
        "posts?select=id&order=users(id)",
        "posts?select=id,comments(id)&comments=eq.1",
        "posts?select=id&or=(comments.id.eq.1)",
        "posts?select=id,comments(id),comments(body)",
        "posts?select=status,count(),comments(id)",
        "posts?select=id,title:body,title",
        "posts?select=status,count()&order=title",
        "posts?select=id::regclass",
        "posts?select=id::nothing",
    ] {
        assert_eq!(fixture.refused(&request::get(query)).0, "query_syntax", "{query}");
    }
}
