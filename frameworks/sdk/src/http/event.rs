//! Events of the v1 API, as what the session hears.

use std::time::Duration;

use api::executor::Exit;
use api::scheduler::{Failure, FromExecutor, Subscribed};
use api::v1::convert::Unfit;
use api::v1::scheduler::{Event, EventBody};
use types::TaskStatus;

use crate::session::Input;

/// What is heard when the stream says something.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    /// Something for the session.
    Input(Input),
    /// The subscription stands; heartbeats come this often, if that is told.
    Subscribed(Subscribed, Option<Duration>),
    /// A sign of life, or something a framework of ours has no use for.
    Nothing,
}

/// Reads an event.
///
/// # Errors
/// Says which field is wrong.
pub(super) fn heard(event: Event) -> Result<Heard, Unfit> {
    let body = event.into_body().map_err(|fault| Unfit {
        field: fault.field,
        text: fault.text,
    })?;
    Ok(Heard::Input(match body {
        EventBody::Subscribed(subscribed) => {
            let seconds = subscribed.heartbeat_interval_seconds;
            let interval = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
            let absent = || Unfit {
                field: "subscribed.master_info".to_owned(),
                text: "is not there".to_owned(),
            };
            let subscribed = Subscribed {
                framework_id: subscribed.framework_id.try_into()?,
                master: (*subscribed.master_info.ok_or_else(absent)?).try_into()?,
            };
            return Ok(Heard::Subscribed(subscribed, interval));
        }
        EventBody::Offers(offers) => {
            let offers = offers.offers.into_iter().map(types::Offer::try_from);
            Input::Offers(offers.collect::<Result<_, _>>()?)
        }
        EventBody::Rescind(rescind) => Input::Rescinded(rescind.offer_id.try_into()?),
        EventBody::Update(update) => {
            let mut status: TaskStatus = update.status.try_into()?;
            status.exit_code = exit_code(&status);
            Input::Updated(status)
        }
        EventBody::Message(message) => Input::Said(FromExecutor {
            agent_id: message.agent_id.try_into()?,
            executor_id: message.executor_id.try_into()?,
            data: message.data.into(),
        }),
        EventBody::Failure(failure) => {
            let Some(agent_id) = failure.agent_id else {
                return Ok(Heard::Nothing);
            };
            let executor_id = failure.executor_id.map(TryInto::try_into).transpose()?;
            let exit = executor_id.is_some().then(|| exit(failure.status));
            Input::Failed(Failure {
                agent_id: agent_id.try_into()?,
                executor_id,
                exit,
            })
        }
        EventBody::Error(error) => Input::Rejected(error.message),
        EventBody::Heartbeat
        | EventBody::InverseOffers(_)
        | EventBody::RescindInverseOffer(_)
        | EventBody::UpdateOperationStatus(_) => return Ok(Heard::Nothing),
    }))
}

/// What a command exited with, which the v1 API only tells people.
fn exit_code(status: &TaskStatus) -> Option<i32> {
    let message = status.message.as_deref()?;
    message
        .strip_prefix("Command exited with status ")?
        .parse()
        .ok()
}

/// How a process ended, from the status of `wait(2)`.
fn exit(status: Option<i32>) -> Exit {
    match status {
        Some(status) if status & 0x7f == 0 => Exit::Code((status >> 8) & 0xff),
        Some(status) => Exit::Signal(status & 0x7f),
        None => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use api::scheduler::{Offers, Rejected, Rescind, Update};
    use api::v1::{Encoding, Message as _};
    use types::{FrameworkId, FrameworkInfo, MasterInfo, Resources, Source, TaskState};

    use super::*;

    /// As the master writes it.
    fn told(event: &Event) -> Heard {
        let bytes = Encoding::Protobuf.encode(event);
        heard(Event::from_protobuf(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn a_framework_hears_over_http_what_it_would_hear_by_letter() {
        let framework = FrameworkInfo::new("framework");
        let offers = vec![crate::testing::offer("agent", Resources::new().cpus(1.5))];
        let page = Offers {
            offers: offers.clone(),
        };
        let told_offers = told(&Event::offers(&page, &framework));
        assert_eq!(told_offers, Heard::Input(Input::Offers(offers.clone())));

        let offer_id = offers[0].id.clone();
        let rescind = Rescind {
            offer_id: offer_id.clone(),
        };
        let rescinded = Heard::Input(Input::Rescinded(offer_id));
        assert_eq!(told(&Event::from(&rescind)), rescinded);

        let agent_id = offers[0].agent_id.clone();
        let task_id = types::TaskId::new("task").unwrap();
        let mut status = TaskStatus::new(task_id, TaskState::Running, Source::Executor, 1_000);
        status.agent_id = Some(agent_id.clone());
        status.update_id = Some(types::UpdateId::random());
        status.data = b"words".to_vec();
        let update = Update {
            status: status.clone(),
        };
        let updated = Heard::Input(Input::Updated(status));
        assert_eq!(told(&Event::from(&update)), updated);

        let executor_id = types::ExecutorId::new("executor").unwrap();
        for exit in [Exit::Code(3), Exit::Signal(9)] {
            let failure = Failure {
                agent_id: agent_id.clone(),
                executor_id: Some(executor_id.clone()),
                exit: Some(exit),
            };
            let failed = Heard::Input(Input::Failed(failure.clone()));
            assert_eq!(told(&Event::from(&failure)), failed);
        }
        let lost = Failure {
            agent_id: agent_id.clone(),
            executor_id: None,
            exit: None,
        };
        assert_eq!(told(&Event::from(&lost)), Heard::Input(Input::Failed(lost)));

        let message = FromExecutor {
            agent_id,
            executor_id,
            data: vec![0, 255],
        };
        let said = Heard::Input(Input::Said(message.clone()));
        assert_eq!(told(&Event::from(&message)), said);

        let reason = "too late".to_owned();
        let rejected = Rejected {
            reason: reason.clone(),
        };
        let refused = Heard::Input(Input::Rejected(reason));
        assert_eq!(told(&Event::from(&rejected)), refused);

        let subscribed = Subscribed {
            framework_id: FrameworkId::new("framework").unwrap(),
            master: MasterInfo {
                id: "m".into(),
                hostname: "localhost".into(),
                address: "127.0.0.1:5050".into(),
                version: "1.11.0".into(),
            },
        };
        let stands = Heard::Subscribed(subscribed.clone(), None);
        assert_eq!(told(&Event::from(&subscribed)), stands);
        assert_eq!(told(&EventBody::Heartbeat.into()), Heard::Nothing);
    }

    #[test]
    fn what_a_command_exited_with_is_found_in_its_message() {
        let task_id = types::TaskId::new("task").unwrap();
        let mut status = TaskStatus::new(task_id, TaskState::Failed, Source::Executor, 1_000);
        for (message, code) in [
            ("Command exited with status 3", Some(3)),
            ("Command terminated with signal Killed", None),
            ("Command exited with status x", None),
        ] {
            status.message = Some(message.to_owned());
            assert_eq!(exit_code(&status), code, "{message}");
        }
    }

    #[test]
    fn an_event_that_is_not_whole_is_refused() {
        assert!(heard(Event::default()).is_err());
    }
}
