//! Subscription: how a framework becomes one of the cluster's, and comes back as itself.

use std::collections::BTreeSet;

use api::master::{FrameworkState, Subscribe};
use api::scheduler;
use api::v1::convert::min_allocatable;
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{FrameworkId, FrameworkInfo, InvalidInfo, Role};

use crate::books::Framework;
use crate::http::Terms;
use crate::process::MasterProcess;

/// A master has at most this many frameworks, those it only heard of from agents included.
const MAX_FRAMEWORKS: usize = 100_000;

/// Why a framework is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It contradicts itself.
    #[error("the framework is invalid: {0}")]
    Invalid(#[from] InvalidInfo),
    /// Only listed roles may be used.
    #[error("the role {0} is not one of this master's")]
    Role(Role),
    /// What it asks of offers makes no sense.
    #[error("the offer filters are invalid: {0}")]
    Filters(String),
    /// It has ended.
    #[error("Framework has been removed")]
    Removed,
    /// Whoever pays for it stays the same.
    #[error("Changing framework's principal is not allowed")]
    Principal,
    /// Whose its tasks are was decided at the start.
    #[error(
        "Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{0}' to '{1}'"
    )]
    User(String, String),
    /// Whether its tasks survive an agent was decided at the start.
    #[error(
        "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{0}' to '{1}'"
    )]
    Checkpoint(bool, bool),
    /// It is not known.
    #[error("Framework cannot be found")]
    Unknown,
    /// One scheduler is one framework.
    #[error("the scheduler is subscribed as framework {0}")]
    Taken(FrameworkId),
    /// There are too many.
    #[error("there are {0} frameworks, and no more can subscribe")]
    Full(usize),
}

impl Handler<Subscribe> for MasterProcess {
    type Result = ();
    fn handle(&mut self, message: Subscribe, ctx: &mut Context<Self>) {
        if ctx.sender() != Some(message.scheduler.upid()) {
            return self.drop_message("Subscribe", "not from the scheduler it names", ctx);
        }
        let scheduler = message.scheduler.clone();
        if let Err(refused) = self.subscribe(message, Terms::default(), ctx) {
            let reason = refused.to_string();
            tracing::info!(%scheduler, reason, "subscription refused");
            ctx.tell(&scheduler, scheduler::Rejected { reason });
        }
        self.settle();
    }
}

impl MasterProcess {
    /// Makes a framework one of the cluster's, or gives it another scheduler; returns who it is.
    pub(crate) fn subscribe(
        &mut self,
        message: Subscribe,
        terms: Terms,
        ctx: &mut Context<Self>,
    ) -> Result<FrameworkId, Refused> {
        let Subscribe {
            info,
            suppressed,
            scheduler,
        } = message;
        self.check_info(&info)?;
        let here = self.books.framework_at(scheduler.upid());
        let here = here.map(|framework| framework.id.clone());
        let id = match (&info.id, here) {
            (Some(id), Some(here)) if *id != here => return Err(Refused::Taken(here)),
            (Some(id), _) => id.clone(),
            // It has not heard our answer, and asks again.
            (None, Some(here)) => here,
            (None, None) => self.ids.framework(),
        };
        if self.books.is_completed(&id) {
            return Err(Refused::Removed);
        }
        let known = self.books.framework(&id).is_some();
        match self.books.framework(&id) {
            None if self.books.framework_count() >= MAX_FRAMEWORKS => {
                return Err(Refused::Full(MAX_FRAMEWORKS));
            }
            None => {
                let state = FrameworkState::Recovered;
                let mut framework = Framework::new(id.clone(), info, state);
                framework.registered_ms = unix_ms();
                self.books.add_framework(framework);
                tracing::info!(framework = %id, %scheduler, "framework subscribed");
            }
            Some(known) => {
                if known.info.principal != info.principal && known.pid.is_some() {
                    return Err(Refused::Principal);
                }
                self.take_over(&id, info, &scheduler, ctx);
            }
        }
        if let Some(framework) = self.books.framework_mut(&id) {
            framework.terms = terms;
        }
        self.connect(&id, suppressed, scheduler, ctx);
        self.remember_framework(&id);
        if known {
            self.framework_updated(&id);
        } else {
            self.framework_added(&id);
        }
        Ok(id)
    }

    fn check_info(&self, info: &FrameworkInfo) -> Result<(), Refused> {
        info.validate()?;
        min_allocatable(info).map_err(|unfit| Refused::Filters(unfit.to_string()))?;
        let allowed = self.options.roles.as_ref();
        let strange = allowed.and_then(|allowed| info.roles.iter().find(|r| !allowed.contains(*r)));
        strange.map_or(Ok(()), |role| Err(Refused::Role(role.clone())))
    }

    /// A framework that is there says something else of itself. All of it is taken, or nothing.
    pub(crate) fn update_framework(
        &mut self,
        id: &FrameworkId,
        info: FrameworkInfo,
        suppressed: Vec<Role>,
        terms: Terms,
        ctx: &Context<Self>,
    ) -> Result<(), Refused> {
        self.check_info(&info)?;
        let known = &self.books.framework(id).ok_or(Refused::Unknown)?.info;
        if known.principal != info.principal {
            return Err(Refused::Principal);
        }
        if known.user != info.user {
            let user = |info: &FrameworkInfo| info.user.clone().unwrap_or_default();
            return Err(Refused::User(user(known), user(&info)));
        }
        if known.checkpoint != info.checkpoint {
            return Err(Refused::Checkpoint(known.checkpoint, info.checkpoint));
        }
        let left = known.roles.iter().filter(|role| !info.roles.contains(role));
        let left: Vec<Role> = left.cloned().collect();
        let roles: BTreeSet<Role> = info.roles.iter().cloned().collect();
        let suppressed = suppressed.into_iter().filter(|role| roles.contains(role));
        let suppressed: BTreeSet<Role> = suppressed.collect();
        let capabilities = info.capabilities.clone();
        let least = min_allocatable(&info).unwrap_or_default();
        let constraints = terms.constraints.clone();
        if let Some(framework) = self.books.framework_mut(id) {
            framework.terms = terms;
            framework.info = FrameworkInfo {
                id: Some(id.clone()),
                ..info
            };
        }
        self.rescind_offers_for(id, &left, ctx);
        self.remember_framework(id);
        self.framework_updated(id);
        tracing::info!(framework = %id, "framework updated");
        let id = id.clone();
        self.orders.give(move |allocator, _| {
            allocator.update_framework(&id, roles, suppressed, &capabilities);
            allocator.set_terms(&id, least, constraints);
        });
        Ok(())
    }

    /// A framework that is known comes back, from where it was or from elsewhere.
    fn take_over(
        &mut self,
        id: &FrameworkId,
        info: FrameworkInfo,
        scheduler: &Pid<scheduler::Scheduling>,
        ctx: &mut Context<Self>,
    ) {
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let old = framework.pid.clone().filter(|_| framework.is_active());
        if let Some(old) = old.filter(|old| old != scheduler) {
            let reason = "Framework failed over".to_owned();
            ctx.tell(&old, scheduler::Rejected { reason });
            ctx.unlink(old.upid());
            // The new scheduler does not know of these.
            self.recover_framework_offers(id);
            self.metrics.framework_failovers += 1;
            tracing::info!(framework = %id, %old, %scheduler, "framework failed over");
        } else {
            tracing::info!(framework = %id, %scheduler, "framework subscribed again");
        }
        let left: Vec<Role> = self.books.framework(id).map_or_else(Vec::new, |framework| {
            let left = framework.info.roles.iter();
            left.filter(|role| !info.roles.contains(role))
                .cloned()
                .collect()
        });
        if let Some(framework) = self.books.framework_mut(id) {
            // Whose its tasks are, and whether they survive an agent, was decided at the start;
            // unless that was before our time.
            let heard = framework.pid.is_some();
            let (user, checkpoint) = (framework.info.user.clone(), framework.info.checkpoint);
            framework.reregistered_ms = Some(unix_ms());
            framework.info = FrameworkInfo {
                id: Some(id.clone()),
                user: if heard { user } else { info.user },
                checkpoint: if heard { checkpoint } else { info.checkpoint },
                ..info
            };
        }
        self.rescind_offers_for(id, &left, ctx);
    }

    /// A framework is there: it is answered, and gets offers.
    fn connect(
        &mut self,
        id: &FrameworkId,
        suppressed: Vec<Role>,
        scheduler: Pid<scheduler::Scheduling>,
        ctx: &mut Context<Self>,
    ) {
        ctx.link(scheduler.upid());
        self.books.connect_framework(id, scheduler.clone());
        self.metrics.framework_subscriptions += 1;
        ctx.tell(
            &scheduler,
            scheduler::Subscribed {
                framework_id: id.clone(),
                master: self.info.clone(),
            },
        );
        let Some(framework) = self.books.framework(id) else {
            return;
        };
        let roles = framework.info.roles.iter().cloned();
        let mut entry = allocator::FrameworkEntry::new(id.clone(), roles);
        entry.suppressed = suppressed
            .into_iter()
            .filter(|role| entry.roles.contains(role))
            .collect();
        entry.capabilities = framework.info.capabilities.clone();
        let least = min_allocatable(&framework.info).unwrap_or_default();
        let constraints = framework.terms.constraints.clone();
        self.orders.give(move |allocator, _| {
            let id = entry.id.clone();
            allocator.add_framework(entry);
            allocator.set_terms(&id, least, constraints);
        });
    }
}
