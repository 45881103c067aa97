use super::{checks, ms, secs};
use crate::table::section;

section! {
    /// What the project is called and where it keeps what it makes.
    pub struct Project {
        /// Name of the project, shown in logs and as the database connection's application name.
        name: String = "bedplate".into(), check(checks::project_name);
        /// Folder for what Bedplate makes: private database, keys, cache. Relative to the project folder, or
        /// absolute, for example on a volume. It ignores itself in git.
        state_dir: String = ".bedplate".into(), check(checks::not_empty);
    }
}

section! {
    /// The app's schema as SQL files `<14 digits>_name.sql`, with an optional `.down.sql`.
    pub struct Migrations {
        /// Folder with the migrations, inside the project.
        dir: String = "migrations".into(), check(checks::project_path);
        /// Whether `bedplate serve` applies pending migrations when it starts. `bedplate dev` always does. With
        /// `false`, `serve` refuses to start while some are pending.
        auto_apply: bool = false;
        /// How long one statement of a migration waits for a lock before the migration is rolled back and tried
        /// again, so that traffic does not queue behind it.
        lock_timeout: std::time::Duration = secs(4),
            range(ms(100), secs(600));
        /// Whether a migration older than the newest applied one may still be applied, as happens when branches
        /// are merged. With `false` it is refused.
        allow_out_of_order: bool = false;
    }
}

section! {
    /// Grants and row-level security, applied after the migrations, all files in one transaction.
    pub struct Policies {
        /// Folder with the `*.sql` files, inside the project.
        dir: String = "policies".into(), check(checks::project_path);
    }
}

section! {
    /// First data. `bedplate dev` runs the files once on a new database; `bedplate seed` runs them on request.
    pub struct Seed {
        /// Files for every environment, in this order.
        files: Vec<String> = vec!["seed.sql".into()], check(checks::project_paths);
        /// Files for development only, run after `files`.
        dev_files: Vec<String> = vec!["seed.dev.sql".into()], check(checks::project_paths);
    }
}
