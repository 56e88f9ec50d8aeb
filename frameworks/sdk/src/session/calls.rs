//! What the author calls, as messages for the master; what cannot be sent, as news.

use api::master::{
    Accept, Decline, Kill, Reconcile, ReconcileTask, Revive, ShutdownExecutor, Suppress, ToExecutor,
};
use types::{Filters, FrameworkCapability, FrameworkId, OfferId, Operation, Reason, Source};
use types::{TaskId, TaskState, TaskStatus};

use super::{Ending, Input, Output, Phase, QUESTIONS_MAX, Session, ToMaster};
use crate::calls::{Call, Stop, launched};

impl Session {
    pub(super) fn call(&mut self, now_ms: u64, call: Call) -> Vec<Output> {
        match (self.subscription(), call) {
            (_, Call::After { delay, token }) => vec![Output::Timer(delay, token)],
            (_, Call::Stop(stop)) => self.stop(stop),
            // The keeper has them.
            (_, Call::Store { .. } | Call::Expunge { .. }) => vec![],
            (
                subscription,
                Call::Accept {
                    offer_ids,
                    operations,
                    filters,
                },
            ) => self.accept(now_ms, subscription, offer_ids, operations, filters),
            (
                subscription,
                Call::Decline {
                    mut offer_ids,
                    filters,
                },
            ) => {
                offer_ids.retain(|offer_id| self.offers.remove(offer_id));
                decline(subscription, offer_ids, filters)
            }
            (subscription, Call::Revive { roles }) => {
                match roles.is_empty() {
                    true => self.suppressed.clear(),
                    false => self.suppressed.retain(|role| !roles.contains(role)),
                }
                let revive = |framework_id| {
                    ToMaster::Revive(Revive {
                        framework_id,
                        roles,
                    })
                };
                tell(subscription.map(revive))
            }
            (subscription, Call::Suppress { roles }) => {
                let all = if roles.is_empty() {
                    &self.info.roles
                } else {
                    &roles
                };
                self.suppressed.extend(all.iter().cloned());
                let suppress = |framework_id| {
                    ToMaster::Suppress(Suppress {
                        framework_id,
                        roles,
                    })
                };
                tell(subscription.map(suppress))
            }
            (
                subscription,
                Call::Kill {
                    task_id,
                    kill_policy,
                },
            ) => {
                let kill = self.tasks.kill(task_id, kill_policy);
                subscription
                    .map(|id| tell_kill(&id, kill))
                    .into_iter()
                    .collect()
            }
            (subscription, Call::Reconcile { task_ids }) => self.ask(subscription, &task_ids),
            (_, Call::ReconcileOn { tasks }) if tasks.is_empty() => vec![],
            (subscription, Call::ReconcileOn { tasks }) => {
                let task_ids: Vec<_> = tasks.iter().map(|(id, _)| id.clone()).collect();
                let placed = tasks.into_iter();
                placed.for_each(|(id, agent_id)| self.tasks.is_on(id, agent_id));
                self.ask(subscription, &task_ids)
            }
            (
                Some(framework_id),
                Call::ShutdownExecutor {
                    agent_id,
                    executor_id,
                },
            ) => {
                let shutdown = ShutdownExecutor {
                    framework_id,
                    agent_id,
                    executor_id,
                };
                vec![Output::Tell(ToMaster::ShutdownExecutor(shutdown))]
            }
            (
                Some(framework_id),
                Call::Message {
                    agent_id,
                    executor_id,
                    data,
                },
            ) => {
                let message = ToExecutor {
                    framework_id,
                    agent_id,
                    executor_id,
                    data,
                };
                vec![Output::Tell(ToMaster::ToExecutor(message))]
            }
            // At most once, and nobody is there.
            (None, Call::ShutdownExecutor { .. } | Call::Message { .. }) => vec![],
        }
    }

    fn subscription(&self) -> Option<FrameworkId> {
        match &self.phase {
            Phase::Subscribed(framework_id) => Some(framework_id.clone()),
            Phase::Detached | Phase::Subscribing | Phase::Disconnected | Phase::Ended => None,
        }
    }

    fn accept(
        &mut self,
        now_ms: u64,
        subscription: Option<FrameworkId>,
        mut offer_ids: Vec<OfferId>,
        operations: Vec<Operation>,
        filters: Filters,
    ) -> Vec<Output> {
        let asked = offer_ids.len();
        offer_ids.retain(|offer_id| self.offers.remove(offer_id));
        let tasks = operations.iter().flat_map(launched);
        if let Some(framework_id) = &subscription
            && offer_ids.len() == asked
            && asked > 0
        {
            tasks.for_each(|task| self.tasks.launched(task));
            let framework_id = framework_id.clone();
            let accept = Accept {
                framework_id,
                offer_ids,
                operations,
                filters,
            };
            return vec![Output::Tell(ToMaster::Accept(accept))];
        }
        let (reason, message) = match &subscription {
            Some(_) => (Reason::InvalidOffers, "the offer is no longer there"),
            None => (
                Reason::MasterDisconnected,
                "the master is away, and its offers with it",
            ),
        };
        let aware = self.info.has(FrameworkCapability::PartitionAware);
        let state = TaskState::Dropped.for_framework(aware);
        let dropped = tasks.map(|task| {
            let status = TaskStatus::new(task.task_id.clone(), state, Source::Master, now_ms);
            let status = status.because(reason, message).on(task.agent_id.clone());
            Output::Again(Input::Dropped(status))
        });
        let dropped: Vec<_> = dropped.collect();
        let mut outputs = decline(subscription, offer_ids, Filters::NONE);
        outputs.extend(dropped);
        outputs
    }

    fn ask(&mut self, subscription: Option<FrameworkId>, task_ids: &[TaskId]) -> Vec<Output> {
        if task_ids.is_empty() {
            self.tasks.all_asked();
            self.ask_all = subscription.is_none();
            return subscription
                .map(|id| reconcile(&id, &[]))
                .into_iter()
                .collect();
        }
        let questions = self.tasks.asked(task_ids);
        let Some(framework_id) = subscription else {
            // They are known from here on, and asked for with the next subscription.
            return vec![];
        };
        questions
            .chunks(QUESTIONS_MAX)
            .map(|part| reconcile(&framework_id, part))
            .collect()
    }

    fn stop(&mut self, stop: Stop) -> Vec<Output> {
        let ours = self.info.id.clone().filter(|_| self.admitted);
        match stop {
            Stop::Done(code) => self.end(ours, Ending::Code(code)),
            Stop::Failed(reason) => self.end(ours, Ending::Failed(reason)),
            Stop::Leave(code) => self.end(None, Ending::Code(code)),
        }
    }
}

fn tell(message: Option<ToMaster>) -> Vec<Output> {
    message.map(Output::Tell).into_iter().collect()
}

fn decline(
    subscription: Option<FrameworkId>,
    offer_ids: Vec<OfferId>,
    filters: Filters,
) -> Vec<Output> {
    let subscription = subscription.filter(|_| !offer_ids.is_empty());
    tell(subscription.map(|framework_id| {
        ToMaster::Decline(Decline {
            framework_id,
            offer_ids,
            filters,
        })
    }))
}

pub(super) fn reconcile(framework_id: &FrameworkId, tasks: &[ReconcileTask]) -> Output {
    let (framework_id, tasks) = (framework_id.clone(), tasks.to_vec());
    Output::Tell(ToMaster::Reconcile(Reconcile {
        framework_id,
        tasks,
    }))
}

pub(super) fn tell_kill(framework_id: &FrameworkId, kill: super::tasks::Kill) -> Output {
    Output::Tell(ToMaster::Kill(Kill {
        framework_id: framework_id.clone(),
        task_id: kill.task_id,
        agent_id: kill.agent_id,
        kill_policy: kill.kill_policy,
    }))
}
