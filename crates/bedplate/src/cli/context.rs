//! What every command needs: the project's folder, the environment's name, the settings.

use std::path::{Path, PathBuf};

use bedplate_settings::{Environment, FILE_NAME, Loaded, Override, Settings, Source};

use super::{Arguments, Exit, Failure, Ui};

/// The project and environment that the command line selects.
#[derive(Debug, Clone)]
pub struct Context {
    pub ui: Ui,
    pub environment: Environment,
    dir: Option<PathBuf>,
    env_name: Option<String>,
    set: Vec<String>,
}

impl Context {
    pub fn new(arguments: &Arguments, environment: Environment, ui: Ui) -> Self {
        let dir = arguments.dir.clone().or_else(|| environment.find("BEDPLATE_DIR").map(PathBuf::from));
        let env_name = arguments.env.clone().or_else(|| environment.find("BEDPLATE_ENV").map(str::to_owned));
        Self { ui, environment, dir, env_name, set: arguments.set.clone() }
    }

    /// The project's folder: as given, else the nearest folder upwards with a `bedplate.toml`, else this one.
    pub fn dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.dir {
            return if dir.is_dir() { Ok(dir.clone()) } else { Err(no_folder(dir)) };
        }
        let here = current_dir()?;
        let project = here.ancestors().find(|folder| folder.join(FILE_NAME).is_file());
        Ok(project.map_or_else(|| here.clone(), Path::to_path_buf))
    }

    /// Where paths on the command line begin: `--dir`, else this folder.
    pub fn base_dir(&self) -> Result<PathBuf, Failure> {
        self.dir.clone().map_or_else(current_dir, Ok)
    }

    /// The name of the environment; `otherwise` when neither `--env` nor `BEDPLATE_ENV` says.
    pub fn env_name(&self, otherwise: &str) -> String {
        self.env_name.clone().unwrap_or_else(|| otherwise.to_owned())
    }

    /// Loads the settings, with overrides of the command on top of `--set`.
    pub fn load(&self, default_env: &str, overrides: Vec<Override>) -> Result<Loaded, Failure> {
        let mut all = self.set_overrides()?;
        all.extend(overrides);
        let source = Source {
            dir: self.dir()?,
            env_name: self.env_name(default_env),
            environment: self.environment.clone(),
            overrides: all,
        };
        Settings::load(&source).map_err(|faults| {
            let count = faults.len();
            let noun = if count == 1 { "fault" } else { "faults" };
            Failure::configuration(format!("the configuration has {count} {noun}"), faults)
        })
    }

    /// As [`Context::load`], and refuses a folder that holds no project.
    pub fn project(&self, default_env: &str, overrides: Vec<Override>) -> Result<Loaded, Failure> {
        let loaded = self.load(default_env, overrides)?;
        let migrations = loaded.dir.join(&loaded.settings.migrations.dir);
        if loaded.has_file || migrations.is_dir() {
            return Ok(loaded);
        }
        Err(Failure::new(
            Exit::Configuration,
            "no_project",
            format!(
                "{} holds no {FILE_NAME} and no folder `{}`",
                loaded.dir.display(),
                loaded.settings.migrations.dir
            ),
            "make a project with `bedplate new NAME`, or name its folder with --dir",
        ))
    }

    pub fn set_overrides(&self) -> Result<Vec<Override>, Failure> {
        self.set
            .iter()
            .map(|pair| match pair.split_once('=') {
                Some((key, value)) => Ok(Override {
                    key: key.trim().to_owned(),
                    value: value.to_owned(),
                    flag: format!("--set {}", key.trim()),
                }),
                None => Err(Failure::new(
                    Exit::Usage,
                    "usage",
                    format!("--set {pair} has no value"),
                    format!("write --set {pair}=VALUE"),
                )),
            })
            .collect()
    }
}

fn current_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        let message = format!("the current folder cannot be used: {error}");
        Failure::new(Exit::Failed, "file", message, "change to a folder that exists: cd ~")
    })
}

fn no_folder(dir: &Path) -> Failure {
    let message = format!("there is no folder {}", dir.display());
    Failure::new(Exit::Usage, "no_folder", message, "give --dir the folder of a project")
}
