//! Everything that is decided before the server starts, in an order that touches nothing until it is safe to.

use std::path::PathBuf;
use std::time::Instant;

use crate::account::RunAs;
use crate::binaries::{self, Binaries, Search};
use crate::data::{self, Found};
use crate::download;
use crate::error::{Error, install_line};
use crate::event::{Event, Events};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::log::Log;
use crate::options::Options;
use crate::space::Ballast;
use crate::supervisor::Plan;
use crate::{socket, tuning};

/// What is known under the lock, before there are binaries.
pub(crate) struct Ground {
    options: Options,
    layout: Layout,
    found: Found,
    run_as: RunAs,
    lock: Lock,
    events: Events,
    begun: Instant,
}

impl Ground {
    /// Makes the state folder, takes the lock and looks at the data. Blocks.
    pub(crate) fn survey(options: Options, events: Events) -> Result<Self, Error> {
        let begun = Instant::now();
        tuning::check(&options.settings)?;
        let layout = Layout::create(&options.state_dir, (options.probes.uid)() == 0)?;
        let lock = Lock::acquire(&layout.lock(), &layout.state)?;
        let found = data::inspect(&layout)?;
        let owner = match &found {
            Found::Data { owner, .. } => Some(*owner),
            Found::Nothing => None,
        };
        let run_as = RunAs::choose(&options.probes, &layout.data(), owner)?;
        Ok(Self { options, layout, found, run_as, lock, events, begun })
    }

    fn major(&self) -> Option<u32> {
        match self.found {
            Found::Data { major, .. } => Some(major),
            Found::Nothing => None,
        }
    }

    /// Server binaries that are on the machine. Blocks.
    pub(crate) fn find_binaries(&self) -> Result<Search, Error> {
        self.events.send(Event::Searching);
        binaries::search(&self.options, &self.layout.data(), self.major())
    }

    /// Binaries from the configured source, once nothing was found on the machine.
    pub(crate) async fn download(&self, others: Vec<crate::Version>) -> Result<Binaries, Error> {
        let major = self.major();
        let install = install_line(major);
        let source = match download::suitable(&self.options, major) {
            Ok(source) => source,
            Err(_) if major.is_some() && !others.is_empty() => {
                let data = major.unwrap_or_default();
                return Err(Error::OtherMajor { dir: self.layout.data(), data, found: others, install });
            }
            Err(why) => return Err(Error::NotFound { major, download: why, install }),
        };
        download::fetch(&self.options, source, install, &self.events).await
    }

    /// The last decisions: where data and socket go, as whom. Blocks.
    pub(crate) fn plan(self, binaries: Binaries) -> Result<Plan, Error> {
        let Self { options, layout, found, run_as, lock, events, begun } = self;
        check_reach(&run_as, &binaries.dir)?;
        let (data, is_new) = match found {
            Found::Data { dir, .. } => {
                check_reach(&run_as, &dir)?;
                (dir, false)
            }
            Found::Nothing => {
                (data::place_new(&layout, &run_as, options.fallback_dir.as_deref(), &events)?, true)
            }
        };
        events.send(Event::Found { bin_dir: binaries.dir.clone(), version: binaries.version });
        let socket_dir = socket::choose(&options, &layout, &run_as)?;
        let beside = data.parent().map_or_else(|| layout.state.clone(), PathBuf::from);
        let ballast = Ballast::new(beside.join("ballast"), options.ballast, options.probes.free_space);
        let log = Log::new(layout.log());
        Ok(Plan {
            options,
            layout,
            data,
            is_new,
            socket_dir,
            run_as,
            binaries,
            lock,
            ballast,
            log,
            events,
            begun,
        })
    }
}

fn check_reach(run_as: &RunAs, path: &std::path::Path) -> Result<(), Error> {
    match (run_as.find_closed_folder(path), run_as.other()) {
        (Some(folder), Some(account)) => Err(Error::Unreachable { folder, user: account.label() }),
        _ => Ok(()),
    }
}
