//! Applies without a person what policy allows: then policy is the recorded approver, and the guards are the same.

use crate::analyze::Analysed;
use crate::{Headroom, Result};
use headroom_model::auth::OpContext;
use headroom_model::job::Job;
use headroom_model::recommendation::{Recommendation, Risk};

/// Most reasons that a job gives.
const REASONS: usize = 5;
const OFF: &str = "auto_implementation is off for this service: an administrator can allow it in policy";

impl Headroom {
    /// Applies what an analysis of these services found and is open, new or from before; the job says why, where it was not done.
    pub(crate) async fn auto_apply(&self, ctx: &OpContext, job: &mut Job, analysed: &[Analysed], open: &[Recommendation]) -> Result<()> {
        for one in analysed {
            if !one.policy.auto_implementation {
                refused(job, OFF);
            }
            for found in open.iter().filter(|r| r.service_id == one.service.id) {
                if let Err(why) = self.auto_apply_one(ctx, one, found).await? {
                    refused(job, &why);
                }
            }
        }
        Ok(())
    }

    /// Submits, approves as policy and starts one recommendation; or says why not.
    async fn auto_apply_one(&self, ctx: &OpContext, one: &Analysed, new: &Recommendation) -> Result<std::result::Result<(), String>> {
        if let Some(why) = refusal(one, new) {
            return Ok(Err(why));
        }
        // A person has rejected or taken back what was open before, or the cluster refused it: policy does not insist.
        if let Some(earlier) = self.store.latest_change(new.id).await? {
            let ended = earlier.state.plain().to_lowercase();
            return Ok(Err(format!("{}: an earlier change of it is {ended}, so a person decides now", new.proposal.title)));
        }
        let change = match self.submit(ctx, new.id).await {
            Ok(change) => change,
            Err(error @ (crate::Error::Store(_) | crate::Error::Infra(_))) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let policy = OpContext { actor: "policy".to_owned(), ..ctx.clone() };
        let approved = self.approve(&policy, new.id, &change.plan_hash).await;
        let started = match approved {
            Ok(_) => self.apply(&policy, new.id, &change.plan_hash).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(_) => Ok(Ok(())),
            Err(error @ (crate::Error::Store(_) | crate::Error::Infra(_))) => Err(error),
            // Somebody was faster, or the rules have changed since: a person sees it among what waits.
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// Adds a reason to those that the job gives, each once and only the first few.
fn refused(job: &mut Job, why: &str) {
    let said = job.auto_apply_refused.get_or_insert_default();
    if said.is_empty() {
        why.clone_into(said);
    } else if !said.contains(why) && said.matches("; ").count() + 1 < REASONS {
        *said += "; ";
        *said += why;
    }
}

fn refusal(one: &Analysed, new: &Recommendation) -> Option<String> {
    let kind = new.proposal.optimization_type;
    if !one.policy.auto_implementation {
        return Some(OFF.to_owned());
    }
    if !one.policy.auto_implementation_types.contains(&kind) {
        return Some(format!("auto_implementation_types does not list {kind}"));
    }
    if one.policy.approvals_required > 1 {
        let need = one.policy.approvals_required;
        return Some(format!("approvals_required is {need}: policy can give one, so people decide"));
    }
    if new.proposal.risk.level != Risk::Low {
        return Some(format!(
            "{}: its risk is {}, and only low risk is applied without a person",
            new.proposal.title, new.proposal.risk.level
        ));
    }
    one.service.managed.refusal().map(str::to_owned)
}
