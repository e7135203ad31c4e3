//! What people do to recommendations and changes. Every one is a form that works without JavaScript, is done once per key, and goes
//! back to the page it came from.

#![expect(missing_docs, reason = "the macro makes a struct of the arguments, whose fields cannot be documented; the functions are")]

use super::Done;
use super::json::Json;
use crate::error::AppError;
use headroom_model::ids::RecommendationId;
use leptos::prelude::*;
use std::collections::BTreeMap;

#[cfg(feature = "ssr")]
use crate::doorway::{answer, doorway, set_cookie};
#[cfg(feature = "ssr")]
use headroom_model::view::{AnalyzeRequest, ProposeRequest};
#[cfg(feature = "ssr")]
use headroom_service::{parse_minute, parse_plan_hash};

/// The id in an address.
///
/// # Errors
/// `not-found`: an address with another text leads nowhere.
pub fn parse_id(id: &str) -> Result<RecommendationId, AppError> {
    id.parse().map_err(|_| AppError::new("not-found", format!("there is no recommendation {id:?}")))
}

/// Submits for approval.
#[server(prefix = "/fn", endpoint = "recommendation/submit", output = Json)]
pub async fn submit(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("submit {id}"), async {
            door.service.submit(&door.ctx, parse_id(&id)?).await?;
            Ok(Done::said("Submitted. It waits for an approver now."))
        })
        .await
    };
    answer("submit", &[], outcome.await)
}

/// Submits several; those that cannot be are named, the others go ahead.
#[server(prefix = "/fn", endpoint = "recommendations/submit", output = Json)]
pub async fn submit_many(#[server(default)] ids: Vec<String>, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        if ids.is_empty() {
            return Err(AppError::new("invalid", "Nothing is selected: tick the recommendations that you want to submit."));
        }
        door.once(&key, &format!("submit {}", ids.join(" ")), async {
            let mut refused = Vec::new();
            for id in &ids {
                let id = parse_id(id)?;
                if let Err(e) = door.service.submit(&door.ctx, id).await {
                    refused.push(format!("{}: {}", id.short(), AppError::from(e)));
                }
            }
            let submitted = ids.len() - refused.len();
            match (submitted, refused.is_empty()) {
                (0, _) => Err(AppError::new("conflict", refused.join(" · "))),
                (1, true) => Ok(Done::said("1 submitted. It waits for an approver now.")),
                (n, true) => Ok(Done::said(format!("{n} submitted. They wait for an approver now."))),
                (n, false) => Ok(Done::said(format!("{n} submitted. Not submitted: {}", refused.join(" · ")))),
            }
        })
        .await
    };
    answer("submit_many", &[], outcome.await)
}

/// Approves exactly the plan that was shown.
#[server(prefix = "/fn", endpoint = "recommendation/approve", output = Json)]
pub async fn approve(id: String, plan_hash: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("approve {id} {plan_hash}"), async {
            let seen = parse_plan_hash(&plan_hash)?;
            let change = door.service.approve(&door.ctx, parse_id(&id)?, &seen).await?;
            let (have, need) = (change.approvals_by_others(), change.approvals_required);
            Ok(Done::said(if have < need {
                format!("Your approval of plan {} counts: {have} of {need}.", seen.short())
            } else {
                format!("Plan {} is approved. It can be applied now.", seen.short())
            }))
        })
        .await
    };
    answer("approve", &[], outcome.await)
}

/// Sends a change back with a wish.
#[server(prefix = "/fn", endpoint = "recommendation/request-changes", output = Json)]
pub async fn request_changes(id: String, reason: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("request-changes {id} {reason}"), async {
            door.service.request_changes(&door.ctx, parse_id(&id)?, &reason).await?;
            Ok(Done::said("Sent back. The recommendation is open again, with your wish."))
        })
        .await
    };
    answer("request_changes", &[("reason", &reason)], outcome.await)
}

/// Carries an approved change out in spite of a freeze, with the reason.
#[server(prefix = "/fn", endpoint = "recommendation/break-glass", output = Json)]
pub async fn break_glass(id: String, reason: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("break-glass {id} {reason}"), async {
            door.service.break_glass(&door.ctx, parse_id(&id)?, &reason).await?;
            Ok(Done::said("The freeze is lifted for this change. It is carried out now."))
        })
        .await
    };
    answer("break_glass", &[("reason", &reason)], outcome.await)
}

/// Rejects a change, with the reason.
#[server(prefix = "/fn", endpoint = "recommendation/reject", output = Json)]
pub async fn reject(id: String, reason: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("reject {id} {reason}"), async {
            door.service.reject(&door.ctx, parse_id(&id)?, &reason).await?;
            Ok(Done::said("Rejected. The recommendation is open again."))
        })
        .await
    };
    answer("reject", &[("reason", &reason)], outcome.await)
}

/// Takes a submission back.
#[server(prefix = "/fn", endpoint = "recommendation/withdraw", output = Json)]
pub async fn withdraw(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("withdraw {id}"), async {
            door.service.withdraw(&door.ctx, parse_id(&id)?).await?;
            Ok(Done::said("Withdrawn. The recommendation is open again."))
        })
        .await
    };
    answer("withdraw", &[], outcome.await)
}

/// Puts a recommendation aside, with the reason; until a time, if there is one.
#[server(prefix = "/fn", endpoint = "recommendation/dismiss", output = Json)]
pub async fn dismiss(id: String, reason: String, #[server(default)] until: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("dismiss {id} {reason} {until}"), async {
            let time = parse_minute("until", &until)?;
            door.service.dismiss(&door.ctx, parse_id(&id)?, &reason, time).await?;
            Ok(Done::said(if time.is_some() { "Dismissed until then." } else { "Dismissed. It can be opened again." }))
        })
        .await
    };
    answer("dismiss", &[("reason", &reason), ("until", &until)], outcome.await)
}

/// Takes up again what was put aside.
#[server(prefix = "/fn", endpoint = "recommendation/reopen", output = Json)]
pub async fn reopen(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("reopen {id}"), async {
            door.service.reopen(&door.ctx, parse_id(&id)?).await?;
            Ok(Done::said("It is open again."))
        })
        .await
    };
    answer("reopen", &[], outcome.await)
}

/// Says something about a recommendation.
#[server(prefix = "/fn", endpoint = "recommendation/comment", output = Json)]
pub async fn comment(id: String, text: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("comment {id} {text}"), async {
            door.service.comment(&door.ctx, parse_id(&id)?, &text).await?;
            Ok(Done::said("Your comment is there."))
        })
        .await
    };
    answer("comment", &[("text", &text)], outcome.await)
}

/// Starts an approved change; a worker carries it out.
#[server(prefix = "/fn", endpoint = "recommendation/apply", output = Json)]
pub async fn apply(id: String, plan_hash: String, #[server(default)] not_before: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("apply {id} {plan_hash} {not_before}"), async {
            let at = parse_minute("not_before", &not_before)?;
            door.service.apply_at(&door.ctx, parse_id(&id)?, &parse_plan_hash(&plan_hash)?, at).await?;
            Ok(Done::said("Applying was asked for. This page follows it."))
        })
        .await
    };
    answer("apply", &[], outcome.await)
}

/// Takes a change back, with the reason.
#[server(prefix = "/fn", endpoint = "recommendation/roll-back", output = Json)]
pub async fn roll_back(id: String, reason: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("roll back {id} {reason}"), async {
            door.service.roll_back(&door.ctx, parse_id(&id)?, &reason).await?;
            Ok(Done::said("Rolling back was asked for. This page follows it."))
        })
        .await
    };
    answer("roll_back", &[("reason", &reason)], outcome.await)
}

/// Analyses one service, `team:NAME` or `fleet`.
#[server(prefix = "/fn", endpoint = "analyze", output = Json)]
pub async fn analyze(service_name: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("analyze {service_name}"), async {
            let request = AnalyzeRequest { service_name: service_name.clone(), ..AnalyzeRequest::default() };
            let job = door.service.analyze(&door.ctx, &request).await?;
            Ok(Done::said(format!("Analysis {} is under way. What it finds appears here.", job.id.short())))
        })
        .await
    };
    answer("analyze", &[], outcome.await)
}

/// Ends an analysis that waits or is under way.
#[server(prefix = "/fn", endpoint = "job/cancel", output = Json)]
pub async fn cancel(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("cancel {id}"), async {
            let id = id.parse().map_err(|_| AppError::new("not-found", format!("there is no analysis {id:?}")))?;
            let job = door.service.cancel(&door.ctx, id).await?;
            Ok(Done::said(format!("Analysis {} is cancelled.", job.id.short())))
        })
        .await
    };
    answer("cancel", &[], outcome.await)
}

/// Proposes a person's own values. Fields that were not changed or are empty are left as they are.
#[server(prefix = "/fn", endpoint = "propose", output = Json)]
pub async fn propose(
    service_name: String,
    reason: String,
    #[server(default)] fields: BTreeMap<String, String>,
    key: String,
) -> Result<Done, AppError> {
    let mut typed: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    typed.push(("reason", &reason));
    let outcome = async {
        let door = doorway().await?;
        let state = door.service.service(&door.ctx, &service_name).await?.service.state.fields();
        let changed = |k: &String, v: &String| !v.trim().is_empty() && state.get(k).map(String::as_str) != Some(v.trim());
        let wanted: BTreeMap<String, String> =
            fields.iter().filter(|(k, v)| changed(k, v)).map(|(k, v)| (k.clone(), v.trim().to_owned())).collect();
        if wanted.is_empty() {
            return Err(AppError::new("invalid", "Nothing differs from what is asked for now: change at least one value."));
        }
        door.once(&key, &format!("propose {service_name} {wanted:?} {reason}"), async {
            let request = ProposeRequest { service_name: service_name.clone(), fields: wanted.clone(), reason: reason.clone() };
            let id = door.service.propose(&door.ctx, &request).await?;
            Ok(Done {
                text: "Your values are a recommendation now, with the same evidence as any other.".to_owned(),
                link: Some(format!("/recommendations/{id}")),
                secret: None,
            })
        })
        .await
    };
    let outcome = outcome.await;
    if let Ok(Done { link: Some(link), .. }) = &outcome {
        leptos_axum::redirect(link);
    }
    answer("propose", &typed, outcome)
}

/// Keeps the choice of light or dark in a cookie for a year; an empty choice leaves it to the system.
#[server(prefix = "/fn", endpoint = "theme", output = Json)]
pub async fn set_theme(theme: String) -> Result<Done, AppError> {
    let known = matches!(theme.as_str(), "light" | "dark");
    set_cookie("theme", if known { &theme } else { "" }, if known { 31_536_000 } else { 0 });
    answer("theme", &[], Ok(Done::default()))
}
