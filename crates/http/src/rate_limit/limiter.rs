//! [`Limiter`]: the limits of one listener and its counts.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bedplate_core::{Principal, PrincipalKind};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::quota::Taken;
use super::rules::{Kind, Name, Policy, RateLimits, Row, Rules};
use super::shared::SharedCounts;
use super::standing::Standing;
use super::table::{Key, Table};
use crate::metrics::Samples;

pub(crate) struct Limiter {
    rules: Rules,
    table: Table,
    shared: Option<Arc<dyn SharedCounts>>,
    /// Until when some address may have used up its guesses; before that nobody is looked up. Nanoseconds of the table.
    failing_until: AtomicU64,
    refused: [AtomicU64; Name::ALL.len()],
    /// Decisions that the node made alone because the shared counts were away.
    alone: AtomicU64,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) enum Caller<'a> {
    Address(u128),
    Subject(&'a str),
    /// Signed in without a subject: the role at an address.
    Role(&'a str, u128),
    Key(&'a str),
}

impl<'a> Caller<'a> {
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    fn of(principal: &'a Principal, address: IpAddr) -> Self {
        match (principal.kind, &principal.subject) {
            (PrincipalKind::Anonymous, _) => Self::address(address),
            (PrincipalKind::User, Some(subject)) => Self::Subject(subject),
            (PrincipalKind::User, None) => Self::Role(&principal.role, network(address)),
            (PrincipalKind::Service, Some(subject)) => Self::Key(subject),
            (PrincipalKind::Service, None) => Self::Key(&principal.role),
        }
    }

    /// The same on every node, and nothing that tells who it is.
    fn shared_key(self, policy: &Policy) -> String {
        let (kind, name, network) = match self {
            Self::Address(network) => ("address", "", network),
            Self::Subject(subject) => ("subject", subject, 0),
            Self::Role(role, network) => ("role", role, network),
            Self::Key(name) => ("key", name, 0),
        };
        let mut digest = Sha256::new();
        digest.update(kind);
        digest.update(network.to_be_bytes());
        digest.update(name);
        let mut key = format!("rate:{}:{kind}:", policy.name.as_str());
        for byte in &digest.finalize()[..16] {
            // Writing to a string cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}

/// One customer's line: an IPv6 address is one of the 2^64 of its network (RFC 6177 §2).
pub(crate) fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

impl Limiter {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        Self {
            rules: Rules::new(limits),
            table: Table::new(limits.callers.max(1)),
            shared: limits.shared.clone(),
            failing_until: AtomicU64::new(0),
            refused: Default::default(),
            alone: AtomicU64::new(0),
        }
    }

    /// A request of nobody in particular: unknown paths, files. `None`: there is no limit.
    pub(crate) async fn unnamed(&self, address: IpAddr, at: Instant) -> Option<Standing> {
        let row = self.rules.anonymous.of(Kind::Read)?;
        self.take(row, Caller::address(address), at).await
    }

    /// A request of a caller who is known by now.
    pub(crate) async fn known(
        &self,
        principal: &Principal,
        address: IpAddr,
        kind: Kind,
        at: Instant,
    ) -> Option<Standing> {
        let row = self.rules.of(principal).of(kind)?;
        self.take(row, Caller::of(principal, address), at).await
    }

    /// Where the address stands when it has no guesses left. `guessing`: whether the request brings credentials.
    pub(crate) fn guessed(
        &self,
        address: IpAddr,
        at: Instant,
        guessing: impl FnOnce() -> bool,
    ) -> Option<Standing> {
        let now = self.table.nanos(at);
        // Nearly always: nobody is guessing.
        if now >= self.failing_until.load(Relaxed) || !guessing() {
            return None;
        }
        let row = self.rules.failures.as_ref()?;
        let policy = row.policies.first()?;
        let key = self.key(policy, Caller::address(address));
        let taken = self.table.look(key, &policy.quota, now);
        if taken.allowed {
            return None;
        }
        self.count_refusal(policy.name);
        Some(Standing::new(Arc::clone(row), SmallVec::from_slice(&[taken])))
    }

    /// Credentials were refused. Where the address stands, when that was one guess too many.
    pub(crate) async fn failed(&self, address: IpAddr, at: Instant) -> Option<Standing> {
        let row = self.rules.failures.as_ref()?;
        let standing = self.take(row, Caller::address(address), at).await?;
        let (policy, now) = (row.policies.first()?, self.table.nanos(at));
        let key = self.key(policy, Caller::address(address));
        let left = self.table.look(key, &policy.quota, now);
        if !left.allowed {
            self.failing_until.fetch_max(now + left.reset.as_nanos() as u64, Relaxed);
        }
        standing.refusing().is_some().then_some(standing)
    }

    async fn take(&self, row: &Arc<Row>, caller: Caller<'_>, at: Instant) -> Option<Standing> {
        let mut standing = self.take_here(row, caller, at);
        if let Some(shared) = &self.shared
            && standing.refusing().is_none()
        {
            standing = self.take_shared(&**shared, row, caller, standing, at).await;
        }
        if let Some((policy, _)) = standing.refusing() {
            self.count_refusal(policy.name);
        }
        Some(standing)
    }

    /// All policies or none: what a request took from one is given back when another refuses it.
    fn take_here(&self, row: &Arc<Row>, caller: Caller<'_>, at: Instant) -> Standing {
        let now = self.table.nanos(at);
        let mut taken = SmallVec::<[Taken; 2]>::new();
        for policy in &row.policies {
            taken.push(self.table.take(self.key(policy, caller), &policy.quota, now));
        }
        if taken.iter().any(|taken| !taken.allowed) {
            self.give_back(row, caller, &mut taken, now);
        }
        Standing::new(Arc::clone(row), taken)
    }

    /// The same at the shared counts. What this node let through and they do not is given back here.
    async fn take_shared(
        &self,
        shared: &dyn SharedCounts,
        row: &Arc<Row>,
        caller: Caller<'_>,
        here: Standing,
        at: Instant,
    ) -> Standing {
        let mut taken = SmallVec::<[Taken; 2]>::new();
        for policy in &row.policies {
            match shared.take(&caller.shared_key(policy), policy.quota).await {
                Some(said) => taken.push(said),
                None => {
                    self.alone.fetch_add(1, Relaxed);
                    return here;
                }
            }
            if taken.last().is_some_and(|said| !said.allowed) {
                break;
            }
        }
        let standing = Standing::new(Arc::clone(row), taken);
        if standing.refusing().is_some() {
            let mut all = SmallVec::from_elem(ALLOWED, row.policies.len());
            self.give_back(row, caller, &mut all, self.table.nanos(at));
        }
        standing
    }

    fn give_back(&self, row: &Row, caller: Caller<'_>, taken: &mut SmallVec<[Taken; 2]>, now: u64) {
        for (policy, taken) in row.policies.iter().zip(taken).filter(|(_, taken)| taken.allowed) {
            // It was let through here; what is left is what it would have without this request.
            let left = self.table.give_back(self.key(policy, caller), &policy.quota, now);
            *taken = Taken { allowed: true, ..left };
        }
    }

    fn key(&self, policy: &Policy, caller: Caller<'_>) -> Key {
        self.table.key((policy.name, caller))
    }

    fn count_refusal(&self, name: Name) {
        self.refused[name as usize].fetch_add(1, Relaxed);
    }

    /// What the metrics show.
    pub(crate) fn samples(&self, samples: &mut Samples) {
        for (name, count) in Name::ALL.iter().zip(&self.refused) {
            let labels = [("policy", name.as_str())];
            let help = "Requests refused because the caller's quota was used up";
            samples.counter("bedplate_rate_limit_refusals", help, &labels, count.load(Relaxed));
        }
        let help = "Callers that were forgotten before their time because there were too many";
        samples.counter("bedplate_rate_limit_crowded_out", help, &[], self.table.crowded_out());
        if self.shared.is_some() {
            let help = "Requests that this node counted alone because the shared counts were away";
            samples.counter("bedplate_rate_limit_counted_alone", help, &[], self.alone.load(Relaxed));
        }
    }
}

const ALLOWED: Taken = Taken { allowed: true, remaining: 0, reset: std::time::Duration::ZERO };
