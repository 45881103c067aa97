use crate::kit::{ready, sqlstate, text};
use tokio_postgres::Client;

async fn names(client: &Client, call: &str) -> Vec<String> {
    let rows = client
        .query(&format!("select name || case when id is null then '/' else '' end from {call}"), &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn fill(owner: &Client) {
    owner
        .batch_execute(
            "insert into storage.buckets (id, name) values ('b', 'b'), ('other', 'other'); \
             insert into storage.objects (bucket_id, name, created_at, updated_at) \
             select 'b', name, timestamptz '2026-01-01' + n * interval '1 hour', timestamptz '2026-01-01' + n * interval '1 hour' \
             from unnest(array['a.txt', 'a/1.png', 'a/2.png', 'a/deep/3.png', 'B.txt', 'c_d/x', 'cxd/y', 'z.tar.gz']) with ordinality as v (name, n); \
             insert into storage.objects (bucket_id, name) values ('other', 'a/elsewhere')",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn parts_of_names_are_what_policies_expect() {
    let ready = ready().await;
    for (sql, expected) in [
        ("storage.foldername('a/b/c.png')", "{a,b}"),
        ("storage.foldername('c.png')", "{}"),
        ("(storage.foldername('u1/x.png'))[1]", "u1"),
        ("storage.filename('a/b/c.png')", "c.png"),
        ("storage.extension('a/b/c.tar.gz')", "gz"),
        ("storage.extension('a.b/c')", "c"),
        ("storage.get_common_prefix('a/b/c', 'a/', '/')", "a/b/"),
        ("storage.get_common_prefix('a/b', 'a/', '/')", ""),
        ("storage.allow_only_operation('object.get')", "false"),
    ] {
        assert_eq!(text(&ready.owner, sql).await, expected, "{sql}");
    }
    ready.owner.batch_execute("set storage.operation = 'storage.object.get'").await.unwrap();
    for (sql, expected) in [
        ("storage.operation()", "storage.object.get"),
        (
            "storage.allow_only_operation('object.get') and storage.allow_only_operation('storage.object.get')",
            "true",
        ),
        ("storage.allow_any_operation(array['object.list', 'object.get'])", "true"),
        ("storage.allow_any_operation(array['object.list', '', null])", "false"),
    ] {
        assert_eq!(text(&ready.owner, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn listing_shows_one_level_and_pages_through_it() {
    let ready = ready().await;
    let owner = &ready.owner;
    fill(owner).await;
    assert_eq!(
        names(owner, "storage.search('', 'b')").await,
        ["a/", "a.txt", "B.txt", "c_d/", "cxd/", "z.tar.gz"]
    );
    assert_eq!(names(owner, "storage.search('a/', 'b', 100, 2)").await, ["1.png", "2.png", "deep/"]);
    assert_eq!(names(owner, "storage.search('', 'b', 100, 1, 0, 'c_')").await, ["c_d/"]);
    assert_eq!(names(owner, "storage.search('', 'b', 2, 1, 1)").await, ["a.txt", "B.txt"]);
    assert_eq!(
        names(owner, "storage.search('a/', 'b', 100, 2, 0, '', 'created_at', 'desc')").await,
        ["deep/", "2.png", "1.png"]
    );
    for order in ["'asc'", "'desc'"] {
        for column in ["'name', ''", "'created_at', ''"] {
            let all =
                names(owner, &format!("storage.search_v2('', 'b', 100, 1, '', {order}, {column})")).await;
            assert_eq!(all.len(), 6, "{order} {column}: {all:?}");
        }
        // One at a time, by the name of the one before, visits each once.
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = names(owner, &format!("storage.search_v2('', 'b', 1, 1, '{after}', {order})")).await;
            let Some(name) = page.first() else { break };
            after = name.trim_end_matches('/').to_owned();
            seen.push(name.clone());
            assert!(seen.len() < 20, "{seen:?}");
        }
        let mut sorted = seen.clone();
        sorted.sort();
        assert_eq!(sorted, ["B.txt", "a.txt", "a/", "c_d/", "cxd/", "z.tar.gz"]);
    }
    let keyed = "select string_agg(key || '=' || name, ' ') from storage.search_v2('a/', 'b', 100, 2)";
    assert_eq!(text(owner, keyed).await, "1.png=a/1.png 2.png=a/2.png deep=a/deep");
    assert_eq!(text(owner, "select string_agg(bucket_id || ' ' || coalesce(size, 0), ',' order by bucket_id) from storage.get_size_by_bucket()").await, "b 0,other 0");
}

#[tokio::test]
async fn policies_decide_what_is_listed_and_rows_are_not_deleted_by_hand() {
    let ready = ready().await;
    let owner = &ready.owner;
    fill(owner).await;
    owner
        .batch_execute("create policy own on storage.objects for select to authenticated using ((storage.foldername(name))[1] = 'a')")
        .await
        .unwrap();
    owner.batch_execute("set role anon").await.unwrap();
    assert!(names(owner, "storage.search('', 'b')").await.is_empty());
    owner.batch_execute("set role authenticated").await.unwrap();
    assert_eq!(names(owner, "storage.search('', 'b')").await, ["a/"]);
    owner.batch_execute("reset role").await.unwrap();
    assert_eq!(sqlstate(owner, "delete from storage.objects").await, "42501");
    assert_eq!(sqlstate(owner, "delete from storage.objects where bucket_id = 'absent'").await, "00000");
    assert_eq!(
        sqlstate(
            owner,
            "begin; set local storage.allow_delete_query = 'true'; delete from storage.objects; commit"
        )
        .await,
        "00000"
    );
    assert_eq!(
        sqlstate(
            owner,
            &format!("insert into storage.buckets (id, name) values ('x', '{}')", "x".repeat(101))
        )
        .await,
        "22001"
    );
}
