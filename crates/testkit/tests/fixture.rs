use bedplate_testkit::{Database, connect};

#[tokio::test]
async fn a_test_gets_a_database_of_its_own_and_templates_are_made_once() {
    let key = format!("kit_{:08x}", rand::random::<u32>());
    let install = |config: tokio_postgres::Config| async move {
        let client = connect(&config).await;
        client.batch_execute("create table made_by_template (id int)").await.unwrap();
    };
    let first = Database::from_template(&key, install).await;
    let second = Database::from_template(&key, |_| async { panic!("installed twice") }).await;
    assert_ne!(first.name(), second.name());
    let client = second.superuser().await;
    let row = client.query_one("select to_regclass('made_by_template') is not null", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    let name = first.name().to_owned();
    drop(first);
    let left = client.query("select 1 from pg_database where datname = $1", &[&name]).await.unwrap();
    assert!(left.is_empty());
    let admin = connect(&second.config("supabase_admin")).await;
    admin.batch_execute(&format!("alter database tpl_{key} is_template false")).await.unwrap();
    admin.batch_execute(&format!("drop database tpl_{key}")).await.unwrap();
}
