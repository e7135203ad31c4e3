//! Users, codes, tokens, sessions, idempotency keys.

use crate::fixtures::{at, event};
use headroom_model::auth::{Permission, Role, Teams};
use headroom_model::ids::UserId;
use headroom_store::{ApiToken, Claim, Error, OneTimeCode, Remembered, SecondFactor, SessionRecord, Store, TokenUser, User};
use uuid::Uuid;

async fn stored_user(store: &Store, name: &str, role: Role) -> User {
    let user = User {
        id: UserId(Uuid::now_v7()),
        name: name.into(),
        role,
        teams: Teams::ALL,
        subject: None,
        locked: false,
        created_at: at(0),
        last_sign_in: None,
    };
    let mut tx = store.begin().await.unwrap();
    tx.create_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    user
}

pub async fn users_are_unique_and_can_be_locked(store: &Store) {
    assert_eq!(store.user_count().await.unwrap(), 0);
    let ann = stored_user(store, "ann", Role::Engineer).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.user_count().await.unwrap(), 1);
    let twin = User { id: UserId(Uuid::now_v7()), ..ann.clone() };
    assert!(matches!(tx.create_user(&twin).await, Err(Error::Taken { what: "user", .. })));
    let teams = Teams::of(["web", "search"]);
    tx.set_role("ann", Role::Approver, &teams).await.unwrap();
    tx.set_locked("ann", true).await.unwrap();
    tx.signed_in(ann.id, at(5)).await.unwrap();
    assert!(matches!(tx.set_locked("bob", true).await, Err(Error::NotFound { what: "user", .. })));
    tx.commit().await.unwrap();
    let now = User { role: Role::Approver, teams: teams.clone(), locked: true, last_sign_in: Some(at(5)), ..ann.clone() };
    assert_eq!(store.user("ann").await.unwrap(), Some(now.clone()));
    assert_eq!(store.user_by_id(ann.id).await.unwrap(), Some(now));
    assert_eq!(store.user("bob").await.unwrap(), None);
    let row = store.user_rows().await.unwrap().remove(0);
    assert_eq!((row.name.as_str(), row.role, row.locked, row.has_password), ("ann", Role::Approver, true, false));
    assert_eq!((row.teams, row.second_factor, row.from_provider), (teams, false, false));
}

pub async fn an_identity_providers_user_is_found_by_subject(store: &Store) {
    let ann = stored_user(store, "ann", Role::Engineer).await;
    let bob = User { id: UserId(Uuid::now_v7()), name: "bob".into(), subject: Some("https://id 7".into()), ..ann.clone() };
    let mut tx = store.begin().await.unwrap();
    tx.create_user(&bob).await.unwrap();
    let twin = User { id: UserId(Uuid::now_v7()), name: "bobby".into(), ..bob.clone() };
    assert!(matches!(tx.create_user(&twin).await, Err(Error::Taken { .. })));
    tx.commit().await.unwrap();
    assert_eq!(store.user_by_subject("https://id 7").await.unwrap(), Some(bob));
    assert_eq!(store.user_by_subject("https://id 8").await.unwrap(), None);
    let rows = store.user_rows().await.unwrap();
    assert_eq!(rows.iter().map(|r| r.from_provider).collect::<Vec<_>>(), [false, true]);
}

pub async fn a_second_factor_is_there_until_it_is_removed(store: &Store) {
    let ann = stored_user(store, "ann", Role::Approver).await;
    let factor = |confirmed_at, last_step| SecondFactor { secret: "ABCD".into(), created_at: at(1), confirmed_at, last_step };
    assert_eq!(store.second_factor(ann.id).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.put_second_factor(ann.id, &factor(None, 0)).await.unwrap();
    assert!(matches!(tx.put_second_factor(UserId(Uuid::nil()), &factor(None, 0)).await, Err(Error::NotFound { what: "user", .. })));
    tx.commit().await.unwrap();
    assert_eq!(store.user_with_factor("ann").await.unwrap(), Some((ann.clone(), false)), "it waits for its first code");
    let mut tx = store.begin().await.unwrap();
    tx.put_second_factor(ann.id, &factor(Some(at(2)), 9)).await.unwrap();
    assert_eq!(tx.second_factor(ann.id).await.unwrap(), Some(factor(Some(at(2)), 9)));
    tx.commit().await.unwrap();
    assert_eq!(store.user_with_factor("ann").await.unwrap(), Some((ann.clone(), true)));
    assert!(store.user_rows().await.unwrap()[0].second_factor);
    let mut tx = store.begin().await.unwrap();
    tx.clear_second_factor(ann.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.user_with_factor("ann").await.unwrap(), Some((ann, false)));
    assert_eq!(store.user_with_factor("bob").await.unwrap(), None);
}

pub async fn passwords_belong_to_users(store: &Store) {
    let ann = stored_user(store, "ann", Role::Viewer).await;
    let mut tx = store.begin().await.unwrap();
    tx.set_password_hash(ann.id, "one", at(0)).await.unwrap();
    tx.set_password_hash(ann.id, "two", at(1)).await.unwrap();
    let nobody = tx.set_password_hash(UserId(Uuid::nil()), "x", at(1)).await;
    assert!(matches!(nobody, Err(Error::NotFound { what: "user", .. })));
    tx.commit().await.unwrap();
    assert_eq!(store.password_hash(ann.id).await.unwrap().as_deref(), Some("two"));
    assert!(store.user_rows().await.unwrap()[0].has_password);
    let mut tx = store.begin().await.unwrap();
    tx.clear_password(ann.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.password_hash(ann.id).await.unwrap(), None);
}

pub async fn codes_work_once_and_not_late(store: &Store) {
    let ann = stored_user(store, "ann", Role::Viewer).await;
    let code = |hash: &str, user_id| OneTimeCode { hash: hash.into(), user_id, purpose: "sign_in".into(), expires_at: at(100) };
    let mut tx = store.begin().await.unwrap();
    for (hash, user) in [("a", Some(ann.id)), ("b", Some(ann.id)), ("first", None)] {
        tx.put_code(&code(hash, user)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.code("a", at(99)).await.unwrap(), Some(code("a", Some(ann.id))), "looking does not use it up");
    assert_eq!(store.code("a", at(100)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.use_code("a", at(100)).await.unwrap(), None);
    assert_eq!(tx.use_code("a", at(99)).await.unwrap(), Some(code("a", Some(ann.id))));
    assert_eq!(tx.use_code("a", at(99)).await.unwrap(), None);
    tx.void_codes(ann.id, at(99)).await.unwrap();
    assert_eq!(tx.use_code("b", at(99)).await.unwrap(), None);
    assert_eq!(tx.use_code("first", at(99)).await.unwrap(), Some(code("first", None)));
    tx.commit().await.unwrap();
}

pub async fn tokens_end_with_revocation_and_with_a_lock(store: &Store) {
    let ann = stored_user(store, "ann", Role::Engineer).await;
    let token = |hash: &str| ApiToken {
        id: Uuid::now_v7(),
        hash: hash.into(),
        user_id: ann.id,
        name: "ci".into(),
        created_at: at(0),
        last_used: None,
        revoked_at: None,
        scope: None,
        expires_at: None,
    };
    let (one, two) = (token("h1"), token("h2"));
    let narrow = ApiToken { scope: Some(vec![Permission::Read]), expires_at: Some(at(50)), created_at: at(-1), ..token("h3") };
    let mut tx = store.begin().await.unwrap();
    tx.put_token(&one).await.unwrap();
    tx.put_token(&two).await.unwrap();
    tx.put_token(&narrow).await.unwrap();
    tx.touch_token(one.id, at(7)).await.unwrap();
    tx.commit().await.unwrap();
    let user = async |hash: &str, now: i64| store.token_user(hash, at(now)).await.unwrap();
    assert_eq!(user("h1", 1_000_000).await, Some(TokenUser { token: one.id, scope: None, user: ann.clone() }));
    assert_eq!(user("h3", 49).await, Some(TokenUser { token: narrow.id, scope: Some(vec![Permission::Read]), user: ann.clone() }));
    assert_eq!(user("h3", 50).await, None, "its time is over");
    assert_eq!(user("other", 0).await, None);
    let mut tx = store.begin().await.unwrap();
    tx.revoke_token(one.id, at(8)).await.unwrap();
    assert!(matches!(tx.revoke_token(Uuid::nil(), at(8)).await, Err(Error::NotFound { what: "token", .. })));
    tx.commit().await.unwrap();
    assert_eq!(user("h1", 0).await, None);
    let listed = store.tokens().await.unwrap();
    assert_eq!(listed[0], (two.clone(), "ann".to_owned()));
    assert_eq!(listed[2], (narrow, "ann".to_owned()));
    assert_eq!((listed[1].0.last_used, listed[1].0.revoked_at), (Some(at(7)), Some(at(8))));
    let mut tx = store.begin().await.unwrap();
    tx.set_locked("ann", true).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(user("h2", 0).await, None, "a locked user's tokens are void");
    let mut tx = store.begin().await.unwrap();
    tx.set_locked("ann", false).await.unwrap();
    tx.revoke_tokens_of(ann.id, at(9)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(user("h2", 0).await, None);
}

pub async fn sessions_come_and_go(store: &Store) {
    let session = |id: &str, expires: i64, user: Option<&str>| SessionRecord {
        id: id.into(),
        data: vec![0, 159, 146, 150],
        expires_at: at(expires),
        user: user.map(str::to_owned),
        created_at: at(1),
        seen_at: at(1),
        address: "10.0.0.1".into(),
        agent: "a browser".into(),
    };
    let load = async |id: &str, now: i64, idle_since: i64| store.load_session(id, at(now), at(idle_since)).await.unwrap();
    store.create_session(&session("s", 100, None)).await.unwrap();
    assert!(matches!(store.create_session(&session("s", 200, None)).await, Err(Error::Taken { what: "session", .. })));
    assert_eq!(load("s", 99, 0).await, Some(session("s", 100, None)));
    assert_eq!(load("s", 100, 0).await, None, "it has ended");
    assert_eq!(load("s", 99, 1).await, None, "it was not used");
    let later = SessionRecord { seen_at: at(7), address: "elsewhere".into(), created_at: at(7), ..session("s", 300, Some("ann")) };
    store.save_session(&later).await.unwrap();
    store.save_session(&session("t", 50, None)).await.unwrap();
    store.save_session(&session("u", 300, Some("ann"))).await.unwrap();
    store.save_session(&session("v", 300, Some("ann"))).await.unwrap();
    assert_eq!(store.delete_expired_sessions(at(60), at(0)).await.unwrap(), 1);
    let kept = SessionRecord { seen_at: at(7), ..session("s", 300, Some("ann")) };
    assert_eq!(load("s", 100, 6).await, Some(kept), "when and where it began stays");
    store.touch_session("u", at(20)).await.unwrap();
    let ids = async |idle_since: i64| -> Vec<String> {
        store.sessions_of("ann", at(100), at(idle_since)).await.unwrap().into_iter().map(|s| s.id).collect()
    };
    assert_eq!(ids(0).await, ["s", "u", "v"]);
    assert_eq!(ids(6).await, ["s", "u"]);
    assert_eq!(store.delete_expired_sessions(at(60), at(1)).await.unwrap(), 1);
    store.delete_session("s").await.unwrap();
    store.delete_session("s").await.unwrap();
    assert_eq!(load("s", 100, 0).await, None);
    store.save_session(&session("w", 300, Some("ann"))).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.delete_session_of("bob", "u").await, Err(Error::NotFound { what: "session", .. })));
    assert_eq!(tx.delete_sessions_of("ann", Some("u")).await.unwrap(), 1);
    tx.delete_session_of("ann", "u").await.unwrap();
    tx.commit().await.unwrap();
    assert!(ids(0).await.is_empty());
    store.save_session(&session("x", 300, Some("ann"))).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_sessions_of("ann", None).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

pub async fn answers_are_replayed_to_the_same_request_only(store: &Store) {
    assert_eq!(store.replayed("ann", "k", "hash").await.unwrap(), None);
    let claim = |request: &str| Claim::new("ann", "k", request, at(0));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.remember(&claim("hash"), 202, b"{}").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.replayed("ann", "k", "hash").await.unwrap(), Some(Remembered::Answer { status: 202, body: b"{}".to_vec() }));
    assert!(matches!(store.replayed("ann", "k", "other").await, Err(Error::KeyReused { .. })));
    assert_eq!(store.replayed("bob", "k", "other").await.unwrap(), None, "keys are each actor's own");
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.remember(&claim("hash"), 200, b"second").await.unwrap(), "the first answer stays");
    assert!(!tx.remember(&claim("other"), 200, b"second").await.unwrap());
    drop(tx);
    assert_eq!(store.forget_keys(at(0)).await.unwrap(), 0);
    assert_eq!(store.forget_keys(at(1)).await.unwrap(), 1);
}

/// A transaction that has an effect, in a request with this key; whether it was committed.
async fn effect(store: &Store, claim: &Claim, subject: &str) -> Result<(), Error> {
    let work = async {
        let mut tx = store.begin().await?;
        tx.record(&event("change.approved", "change", subject)).await?;
        tx.commit().await
    };
    claim.clone().during(work).await
}

pub async fn a_key_is_claimed_with_its_effect(store: &Store) {
    let unfinished = async {
        let mut tx = store.begin().await.unwrap();
        tx.record(&event("change.approved", "change", "c1")).await.unwrap();
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        tx.put_setting("nothing", "to tell").await.unwrap();
        tx.commit().await.unwrap();
    };
    Claim::new("ann", "key", "hash", at(0)).during(unfinished).await;
    assert_eq!(store.replayed("ann", "key", "hash").await.unwrap(), None, "there was no effect");

    let claim = |request: &str| Claim::new("ann", "key", request, at(0));
    let (first, second, other) = (claim("hash"), claim("hash"), claim("other"));
    effect(store, &first, "c1").await.unwrap();
    assert_eq!(store.replayed("ann", "key", "hash").await.unwrap(), Some(Remembered::Effect("change c1".to_owned())));
    let chain = store.verify_audit(None).await.unwrap().entries;
    assert!(matches!(effect(store, &second, "c2").await, Err(Error::KeyReused { .. })), "the same request at the same time");
    assert!(matches!(effect(store, &other, "c3").await, Err(Error::KeyReused { .. })));
    assert_eq!(store.verify_audit(None).await.unwrap().entries, chain, "it has one effect");

    let mut tx = store.begin().await.unwrap();
    assert!(!tx.remember(&other, 422, b"no").await.unwrap());
    assert!(!tx.remember(&second, 409, b"no").await.unwrap(), "the refusal of the second is not the answer");
    assert!(tx.remember(&first, 200, b"{}").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.replayed("ann", "key", "hash").await.unwrap(), Some(Remembered::Answer { status: 200, body: b"{}".to_vec() }));
}
