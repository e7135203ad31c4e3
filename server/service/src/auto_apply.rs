//! Applies without a person what policy allows: then policy is the recorded approver, and the guards are the same.

use crate::analyze::Analysed;
use crate::{Headroom, Result};
use headroom_model::auth::OpContext;
use headroom_model::recommendation::{Recommendation, Risk};

impl Headroom {
    /// Submits, approves as policy and starts one recommendation; or says why not.
    pub(crate) async fn auto_apply_one(
        &self,
        ctx: &OpContext,
        one: &Analysed,
        new: &Recommendation,
    ) -> Result<std::result::Result<(), String>> {
        if let Some(why) = refusal(one, new) {
            return Ok(Err(why));
        }
        let change = match self.submit(ctx, new.id).await {
            Ok(change) => change,
            Err(error @ (crate::Error::Store(_) | crate::Error::Infra(_))) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let policy = OpContext { actor: "policy".to_owned(), ..ctx.clone() };
        self.approve(&policy, new.id, &change.plan_hash).await?;
        self.apply(&policy, new.id, &change.plan_hash).await?;
        Ok(Ok(()))
    }
}

fn refusal(one: &Analysed, new: &Recommendation) -> Option<String> {
    let kind = new.proposal.optimization_type;
    if !one.policy.auto_implementation {
        return Some("auto_implementation is off for this service: an administrator can allow it in policy".to_owned());
    }
    if !one.policy.auto_implementation_types.contains(&kind) {
        return Some(format!("auto_implementation_types does not list {kind}"));
    }
    if new.proposal.risk.level != Risk::Low {
        return Some(format!(
            "{}: its risk is {}, and only low risk is applied without a person",
            new.proposal.title, new.proposal.risk.level
        ));
    }
    one.service.managed.refusal().map(str::to_owned)
}
