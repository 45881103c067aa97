//! Watches a project's SQL files and says when something was saved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bedplate_core::Problem;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Tells of changes below the watched paths, until dropped.
pub struct Changes {
    /// Dropping it ends the watch.
    _watcher: RecommendedWatcher,
    changed: mpsc::Receiver<PathBuf>,
    debounce: Duration,
}

/// Watches folders (their files, not below) and single files. What does not exist yet is watched through its parent.
pub fn watch(paths: &[PathBuf], debounce: Duration) -> Result<Changes, Problem> {
    let (sender, changed) = mpsc::channel(256);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else { return };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in event.paths.into_iter().filter(|path| is_sql(path)) {
            // A full channel means that a change is already pending.
            let _ = sender.try_send(path);
        }
    });
    let mut watcher = watcher.map_err(failed)?;
    let mut folders: Vec<&Path> = Vec::new();
    for path in paths {
        let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent().filter(|p| p.is_dir()) };
        if let Some(folder) = folder.filter(|f| !folders.contains(f)) {
            folders.push(folder);
        }
    }
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
    }
    Ok(Changes { _watcher: watcher, changed, debounce })
}

impl Changes {
    /// The files of the next burst of changes: waits for one, then until all is quiet.
    pub async fn next(&mut self) -> Option<Vec<PathBuf>> {
        let mut files = vec![self.changed.recv().await?];
        while let Ok(Some(file)) = timeout(self.debounce, self.changed.recv()).await {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Some(files)
    }
}

/// Editors write other files beside the one that is saved.
fn is_sql(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("sql"))
}

fn failed(error: notify::Error) -> Problem {
    Problem::internal_error(format!("files cannot be watched: {error}"))
        .hint("start without watching: bedplate dev --set dev.watch=false")
}
