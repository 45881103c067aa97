//! One data folder that tests copy instead of making their own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The data folder for this build of the tests. `None` where the server's user cannot enter the build folder.
pub async fn find_or_make() -> Option<PathBuf> {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster-template");
    tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&base).unwrap();
        let lock = File::create(base.join("lock")).unwrap();
        // One test makes it, the others wait; the kernel lets go of the lock however the holder ends.
        lock.lock().unwrap();
        let (state, stamp) = (base.join("state"), base.join("stamp"));
        let build = build();
        if fs::read_to_string(&stamp).is_ok_and(|text| text == build) {
            return Some(state.join("pg"));
        }
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let made = runtime.block_on(async {
            let cluster = bedplate_cluster::start(crate::bench::options(state.clone()), |_| {}).await.ok()?;
            cluster.stop().await;
            Some(())
        });
        made?;
        fs::write(&stamp, build).unwrap();
        Some(state.join("pg"))
    })
    .await
    .unwrap()
}

/// Changes with the code that makes data folders.
fn build() -> String {
    let meta = fs::metadata(std::env::current_exe().unwrap()).unwrap();
    format!("{:?}", meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap())
}
