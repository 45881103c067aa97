//! The thread that owns the server: starts it, restarts it after a crash, and stops it. It lives as long as the server
//! is wanted, because the kernel's death signal belongs to the spawning thread (prctl(2)).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::account::RunAs;
use crate::binaries::{Binaries, Version};
use crate::cluster::State;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::log::Log;
use crate::options::Options;
use crate::postmaster::{Postmaster, Start, shutdown_steps};
use crate::probe::{self, Answer};
use crate::space::{Ballast, NEEDED_EXISTING, NEEDED_NEW, is_disk_full};
use crate::{data, initdb, leftovers, socket, tuning};

/// How often the log's size and the ballast are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// What reaches the thread.
#[derive(Debug)]
pub(crate) enum Message {
    Exited { generation: u64 },
    Stop,
}

/// Everything that is decided before the server starts.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) layout: Layout,
    pub(crate) data: PathBuf,
    /// The data folder is still to be made.
    pub(crate) is_new: bool,
    pub(crate) socket_dir: PathBuf,
    pub(crate) run_as: RunAs,
    pub(crate) binaries: Binaries,
    pub(crate) lock: Lock,
    pub(crate) ballast: Ballast,
    pub(crate) log: Log,
    pub(crate) events: Events,
    pub(crate) begun: Instant,
}

/// What the first start gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(crate) version: Version,
    pub(crate) took: Duration,
}

/// Why a server is not running after an attempt to start it.
enum Trouble {
    /// The owner wants no server any more.
    Stopped,
    Failed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(crate) struct Supervisor {
    plan: Plan,
    state: watch::Sender<State>,
    inbox: mpsc::Receiver<Message>,
    outbox: mpsc::Sender<Message>,
    generation: u64,
    crashes: VecDeque<Instant>,
}

impl Supervisor {
    pub(crate) fn new(plan: Plan, state: watch::Sender<State>) -> (Self, mpsc::Sender<Message>) {
        let (outbox, inbox) = mpsc::channel();
        let supervisor =
            Self { plan, state, inbox, outbox: outbox.clone(), generation: 0, crashes: VecDeque::new() };
        (supervisor, outbox)
    }

    /// Runs until the server is stopped for good. The first outcome goes to `ready`.
    pub(crate) fn run(mut self, ready: oneshot::Sender<Result<Started, Error>>) {
        let outcome = self.first_start();
        match outcome {
            Ok((server, started)) => {
                self.state.send_replace(State::Running);
                let is_wanted = ready.send(Ok(started)).is_ok();
                if is_wanted {
                    self.plan.ballast.reserve();
                    self.watch_over(server);
                } else {
                    self.shut_down(server);
                }
                self.leave();
            }
            Err(trouble) => {
                let error = match trouble {
                    Trouble::Stopped => Error::Cancelled,
                    Trouble::Failed(error) => error,
                };
                // Before the answer, so that the caller can try again at once.
                self.leave();
                let _ = ready.send(Err(error));
            }
        }
    }

    /// Gives up the lock, then tells that it is over.
    fn leave(self) {
        socket::clean_up(&self.plan.socket_dir, &self.plan.layout);
        drop(self.plan.lock);
        self.state.send_replace(State::Stopped);
    }

    fn first_start(&mut self) -> Result<(Postmaster, Started), Trouble> {
        let plan = &self.plan;
        initdb::remove_half_made(&plan.data, &plan.run_as, &plan.events)?;
        plan.ballast.require(if plan.is_new { NEEDED_NEW } else { NEEDED_EXISTING })?;
        if plan.is_new {
            plan.events.send(Event::Creating { dir: plan.data.clone() });
            initdb::create(plan).inspect_err(|_| data::forget_place(&plan.layout, &plan.data))?;
            data::link(&plan.layout, &plan.data)?;
        }
        data::close(&plan.data)?;
        let (server, version) = match self.launch() {
            // Recovery ran out of room; with the ballast's it can end.
            Err(Trouble::Failed(Error::DiskFull { .. })) if self.plan.ballast.release() => self.launch()?,
            outcome => outcome?,
        };
        let took = self.plan.begun.elapsed();
        let created = self.plan.is_new;
        self.plan.events.send(Event::Started { version, took, created });
        Ok((server, Started { version, took }))
    }

    /// Clears the way, starts a server and waits until it answers.
    fn launch(&mut self) -> Result<(Postmaster, Version), Trouble> {
        let plan = &self.plan;
        leftovers::end(&plan.data, &plan.run_as, plan.options.stop_timeout, &plan.events)?;
        leftovers::disown(&plan.data, &plan.run_as)?;
        socket::remove_stale(&plan.socket_dir);
        plan.log.rotate();
        tuning::write(&plan.options, &plan.data, plan.binaries.version.major, &plan.run_as)?;
        self.generation += 1;
        let start = Start {
            binaries: &plan.binaries,
            data: &plan.data,
            socket_dir: &plan.socket_dir,
            run_as: &plan.run_as,
            log: &plan.log,
        };
        let server = Postmaster::spawn(&start, self.generation, self.outbox.clone())?;
        self.wait_until_ready(server)
    }

    fn wait_until_ready(&mut self, server: Postmaster) -> Result<(Postmaster, Version), Trouble> {
        let begun = Instant::now();
        let socket = socket::file(&self.plan.socket_dir);
        let mut pause = Duration::from_millis(2);
        let mut is_told = false;
        loop {
            match self.receive(&server, pause) {
                Some(Message::Stop) => {
                    self.shut_down(server);
                    return Err(Trouble::Stopped);
                }
                Some(Message::Exited { .. }) => return Err(self.exited_early(server).into()),
                None => {}
            }
            match probe::ask(&socket, &self.plan.options.superuser, Duration::from_secs(2)) {
                Answer::Ready(version) => return Ok((server, version)),
                Answer::Refused { code, message } => {
                    let error = self.refused(&server, &code, message);
                    self.shut_down(server);
                    return Err(error.into());
                }
                Answer::Starting if !is_told && self.is_recovering(&server) => {
                    is_told = true;
                    self.plan.events.send(Event::Recovering);
                }
                Answer::Starting | Answer::Silent => {}
            }
            if begun.elapsed() >= self.plan.options.startup_timeout {
                let tail = self.plan.log.tail(server.log_start, 20);
                self.shut_down(server);
                let after = self.plan.options.startup_timeout;
                return Err(Error::NotReady { after, tail, log: self.plan.log.path().to_path_buf() }.into());
            }
            // Often at first, when every millisecond counts; rarely in a recovery of minutes, where each try costs a
            // line in the log.
            pause = (begun.elapsed() / 8).clamp(Duration::from_millis(2), Duration::from_millis(500));
        }
    }

    /// The next message that concerns this server, or `None` after `patience`.
    fn receive(&self, server: &Postmaster, patience: Duration) -> Option<Message> {
        match self.inbox.recv_timeout(patience) {
            Ok(Message::Exited { generation }) if generation != server.generation => None,
            Ok(message) => Some(message),
            // We hold a sender ourselves, so the channel never closes.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn is_recovering(&self, server: &Postmaster) -> bool {
        let lines = self.plan.log.tail(server.log_start, 50);
        lines
            .iter()
            .any(|line| line.contains("was not properly shut down") || line.contains("was interrupted"))
    }

    fn exited_early(&self, server: Postmaster) -> Error {
        let start = server.log_start;
        let status = server.collect();
        let tail = self.plan.log.tail(start, 20);
        if tail.iter().any(|line| is_disk_full(line)) {
            let dir = self.plan.data.parent().unwrap_or(&self.plan.data).to_path_buf();
            let free = (self.plan.options.probes.free_space)(&dir).unwrap_or(0);
            return Error::DiskFull { dir, free, needed: NEEDED_EXISTING };
        }
        Error::ExitedEarly { status, tail, log: self.plan.log.path().to_path_buf() }
    }

    fn refused(&self, server: &Postmaster, code: &str, message: String) -> Error {
        // 28000 invalid_authorization_specification: how a missing role is reported.
        if code == "28000" && message.contains("does not exist") {
            let role = self.plan.options.superuser.clone();
            return Error::NoSuperuser { dir: self.plan.data.clone(), role };
        }
        let mut tail = self.plan.log.tail(server.log_start, 19);
        tail.push(message.clone());
        let status = format!("it refuses connections with SQLSTATE {code}: {message}");
        Error::ExitedEarly { status, tail, log: self.plan.log.path().to_path_buf() }
    }

    fn watch_over(&mut self, mut server: Postmaster) {
        loop {
            match self.receive(&server, HOUSEKEEPING) {
                Some(Message::Stop) => return self.shut_down(server),
                Some(Message::Exited { .. }) => match self.restart(server) {
                    Some(next) => server = next,
                    None => return,
                },
                None => {
                    self.plan.log.rotate();
                    self.plan.ballast.reserve();
                }
            }
        }
    }

    /// Starts the server again after it ended by itself, with growing pauses. `None` when it stays down.
    fn restart(&mut self, server: Postmaster) -> Option<Postmaster> {
        let start = server.log_start;
        let mut reason = format!("the server ended: {}", server.collect());
        let mut is_full = self.plan.log.tail(start, 50).iter().any(|line| is_disk_full(line));
        loop {
            tracing::error!(target: "bedplate::cluster", reason, "PostgreSQL is down");
            let next = if is_full { Some(self.wait_for_space()) } else { self.count_crash() };
            let Some((attempt, pause)) = next else {
                self.give_up(reason);
                return None;
            };
            self.state.send_replace(State::Restarting { attempt, reason: reason.clone() });
            if self.is_stopped_within(pause) {
                return None;
            }
            match self.launch() {
                Ok((next, _)) => {
                    tracing::info!(target: "bedplate::cluster", "PostgreSQL runs again");
                    self.state.send_replace(State::Running);
                    return Some(next);
                }
                Err(Trouble::Stopped) => return None,
                Err(Trouble::Failed(error)) => {
                    is_full = matches!(error, Error::DiskFull { .. });
                    reason = error.to_string();
                }
            }
        }
    }

    /// A full disk is no reason to give up: it heals with space, without anybody's help. The ballast may be enough to
    /// finish recovery, so that at least reads work again.
    fn wait_for_space(&self) -> (u32, Duration) {
        let policy = self.plan.options.restart;
        let pause = if self.plan.ballast.release() { policy.shortest } else { policy.longest };
        (self.crashes.len() as u32 + 1, pause)
    }

    /// Counts one crash: which attempt comes next and after what pause, or `None` when there were too many.
    fn count_crash(&mut self) -> Option<(u32, Duration)> {
        let policy = self.plan.options.restart;
        let now = Instant::now();
        self.crashes.push_back(now);
        self.crashes.retain(|time| now.duration_since(*time) <= policy.window);
        let count = self.crashes.len();
        if count >= policy.crashes {
            return None;
        }
        let pause = policy.shortest.saturating_mul(1 << (count - 1).min(16)).min(policy.longest);
        Some((count as u32, pause))
    }

    /// Stays down until the owner stops it: starting on and on would hide the trouble and wear out the disk.
    fn give_up(&mut self, reason: String) {
        let policy = self.plan.options.restart;
        let reason =
            format!("{} crashes within {} s; the last: {reason}", policy.crashes, policy.window.as_secs());
        tracing::error!(target: "bedplate::cluster", reason, "PostgreSQL is not started again");
        if let Err(error) =
            leftovers::end(&self.plan.data, &self.plan.run_as, Duration::ZERO, &self.plan.events)
        {
            tracing::error!(target: "bedplate::cluster", %error, "server processes are left");
        }
        self.state.send_replace(State::Failed { reason });
        while !self.is_stopped_within(HOUSEKEEPING) {}
    }

    /// Waits, unless the owner stops it. Reports of servers that are gone are dropped.
    fn is_stopped_within(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Message::Stop) => return true,
                Ok(Message::Exited { .. }) => {}
                Err(_) => return false,
            }
        }
    }

    /// Fast shutdown; immediate when that takes too long; killed at last. Blocks until the server is gone.
    fn shut_down(&mut self, server: Postmaster) {
        for (signal, patience) in shutdown_steps(self.plan.options.stop_timeout) {
            server.signal(signal);
            if self.exits_within(&server, patience) {
                break;
            }
            tracing::warn!(target: "bedplate::cluster", ?signal, "the server does not stop; trying harder");
        }
        let status = server.collect();
        tracing::debug!(target: "bedplate::cluster", status, "PostgreSQL stopped");
    }

    fn exits_within(&self, server: &Postmaster, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            if matches!(self.receive(server, left), Some(Message::Exited { .. })) {
                return true;
            }
        }
        false
    }
}
