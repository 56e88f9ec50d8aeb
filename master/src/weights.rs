//! Weights of roles, which operators change and the registry keeps.

use allocator::Weight;
use api::v1::convert::Unfit;
use api::v1::master::call::UpdateWeights;
use libproc::prelude::*;
use types::Role;

use crate::http::API;
use crate::http::refusal::Refusal;
use crate::maintenance::{Done, not_stored};
use crate::process::MasterProcess;
use crate::registry::Operation;

impl MasterProcess {
    /// Sets how much some roles count, all of them or none.
    pub(crate) fn update_weights(
        &mut self,
        update: UpdateWeights,
        done: Done,
        ctx: &mut Context<Self>,
    ) {
        let weights = match weights(update) {
            Ok(weights) => weights,
            Err(refusal) => return done(Err(refusal)),
        };
        let thousandths = weights
            .iter()
            .map(|(role, weight)| (role.clone(), weight.thousandths()));
        let operation = Operation::SetWeights(thousandths.collect());
        let stored = self.registrar.apply(operation);
        ctx.defer(stored, move |this, outcome, _| {
            if let Err(error) = outcome {
                return done(Err(not_stored(&error)));
            }
            tracing::info!(?weights, "weights updated");
            this.options.weights.extend(weights.iter().cloned());
            this.orders
                .give(move |allocator, _| allocator.update_weights(weights));
            done(Ok(()));
        });
    }
}

fn weights(update: UpdateWeights) -> Result<Vec<(Role, Weight)>, Refusal> {
    let weight = |(i, info): (usize, api::v1::WeightInfo)| {
        let wrong = |field: &str, text: String| {
            let field = format!("update_weights.weight_infos[{i}].{field}");
            Refusal::unfit(API, &Unfit { field, text })
        };
        let role = Role::new(info.role.unwrap_or_default());
        let role = role.map_err(|error| wrong("role", error.to_string()))?;
        let weight = Weight::from_f64(info.weight);
        let weight = weight.map_err(|error| wrong("weight", error.to_string()))?;
        Ok((role, weight))
    };
    update
        .weight_infos
        .into_iter()
        .enumerate()
        .map(weight)
        .collect()
}
