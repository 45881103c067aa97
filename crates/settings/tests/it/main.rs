//! Settings from outside: files in a folder, an environment of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod documentation;
mod faults;
mod layers;
mod safety;
mod secrets;

use std::path::Path;

use bedplate_settings::{Environment, Fault, Loaded, Override, Settings, Source};

/// A project folder for one test.
struct Project {
    dir: tempfile::TempDir,
    env_name: &'static str,
    environment: Vec<(String, String)>,
    overrides: Vec<Override>,
}

impl Project {
    fn new(toml: &str) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
            env_name: "development",
            environment: Vec::new(),
            overrides: Vec::new(),
        };
        project.write("bedplate.toml", toml);
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn named(mut self, name: &'static str) -> Self {
        self.env_name = name;
        self
    }

    fn flag(mut self, key: &str, value: &str, flag: &str) -> Self {
        self.overrides.push(Override { key: key.into(), value: value.into(), flag: flag.into() });
        self
    }

    fn load(&self) -> Result<Loaded, Vec<Fault>> {
        Settings::load(&Source {
            dir: self.path().to_owned(),
            env_name: self.env_name.into(),
            environment: Environment::from_pairs(self.environment.clone()),
            overrides: self.overrides.clone(),
        })
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|faults| panic!("{}", all(&faults)))
    }

    /// Every fault as shown to the user.
    fn faults(&self) -> String {
        all(&self.load().expect_err("a fault"))
    }
}

fn all(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
