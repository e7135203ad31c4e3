//! What policy may apply without a person, and what it says where it may not.

use crate::house::House;
use headroom_model::change::Substate;
use headroom_model::job::OptimizationType;
use headroom_model::policy::Scope;
use headroom_model::recommendation::Risk;

#[tokio::test(flavor = "multi_thread")]
async fn policy_applies_by_itself_only_what_it_lists_at_low_risk_and_says_why_not() {
    let house = House::start(600.0).await;
    house.analysed().await;
    let open = house.open().await;
    let of = |risk: Risk| {
        open.iter().find(|p| p.refusal.is_none() && p.row.risk == risk && p.row.optimization_type == OptimizationType::Resource)
    };
    let (low, high) = (of(Risk::Low).expect("a safe proposal"), of(Risk::High).expect("a risky proposal"));
    let (id, service) = (low.recommendation.id, low.recommendation.service_name.as_str());
    let set = async |key, value| house.headroom.set_policy(&house.admin(), &Scope::Fleet, key, value).await.unwrap();
    let said = async |why: Option<String>, part: &str| assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{why:?}");

    said(house.analysed_and_applied(service).await, "auto_implementation is off").await;
    set("auto_implementation", "true").await;
    said(house.analysed_and_applied(service).await, "does not list RESOURCE_OPTIMIZATION").await;
    assert!(house.page(id).await.change.is_none());
    set("approvals_required", "2").await;
    set("auto_implementation_types", "RESOURCE_OPTIMIZATION").await;
    said(house.analysed_and_applied(service).await, "approvals_required is 2").await;
    assert!(house.page(id).await.change.is_none());
    set("approvals_required", "1").await;
    set("auto_implementation_types", "RESOURCE_OPTIMIZATION").await;
    said(house.analysed_and_applied(&high.recommendation.service_name).await, "its risk is high").await;
    assert!(house.page(high.recommendation.id).await.change.is_none());

    let change = house.headroom.submit(&house.engineer(), id).await.unwrap();
    house.headroom.reject(&house.approver(), id, "not in this quarter").await.unwrap();
    said(house.analysed_and_applied(service).await, "a person decides now").await;
    assert_eq!(house.page(id).await.change.unwrap().id, change.id, "policy does not overrule a person");

    let other = open.iter().find(|p| p.refusal.is_none() && p.row.risk == Risk::Low && p.row.service_name != service).expect("another");
    house.analysed_and_applied(&other.recommendation.service_name).await;
    let done = house.until(other.recommendation.id, &[Substate::Observing, Substate::Applied]).await.change.unwrap();
    assert_eq!(done.approvals.iter().map(|a| a.by.as_str()).collect::<Vec<_>>(), ["policy"]);
}
