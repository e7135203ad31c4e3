//! Users, codes, tokens, sessions, idempotency keys.

use crate::fixtures::{at, event};
use headroom_model::auth::Role;
use headroom_model::ids::UserId;
use headroom_store::{ApiToken, Claim, Error, OneTimeCode, Remembered, SessionRecord, Store, User};
use uuid::Uuid;

async fn stored_user(store: &Store, name: &str, role: Role) -> User {
    let user = User { id: UserId(Uuid::now_v7()), name: name.into(), role, locked: false, created_at: at(0), last_sign_in: None };
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
    tx.set_role("ann", Role::Approver).await.unwrap();
    tx.set_locked("ann", true).await.unwrap();
    tx.signed_in(ann.id, at(5)).await.unwrap();
    assert!(matches!(tx.set_locked("bob", true).await, Err(Error::NotFound { what: "user", .. })));
    tx.commit().await.unwrap();
    let now = User { role: Role::Approver, locked: true, last_sign_in: Some(at(5)), ..ann.clone() };
    assert_eq!(store.user("ann").await.unwrap(), Some(now.clone()));
    assert_eq!(store.user_by_id(ann.id).await.unwrap(), Some(now));
    assert_eq!(store.user("bob").await.unwrap(), None);
    let row = store.user_rows().await.unwrap().remove(0);
    assert_eq!((row.name.as_str(), row.role, row.locked, row.has_password), ("ann", Role::Approver, true, false));
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
    };
    let (one, two) = (token("h1"), token("h2"));
    let mut tx = store.begin().await.unwrap();
    tx.put_token(&one).await.unwrap();
    tx.put_token(&two).await.unwrap();
    tx.touch_token(one.id, at(7)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.token_user("h1").await.unwrap(), Some((one.id, ann.clone())));
    assert_eq!(store.token_user("other").await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.revoke_token(one.id, at(8)).await.unwrap();
    assert!(matches!(tx.revoke_token(Uuid::nil(), at(8)).await, Err(Error::NotFound { what: "token", .. })));
    tx.commit().await.unwrap();
    assert_eq!(store.token_user("h1").await.unwrap(), None);
    let listed = store.tokens().await.unwrap();
    assert_eq!(listed[0], (two.clone(), "ann".to_owned()));
    assert_eq!((listed[1].0.last_used, listed[1].0.revoked_at), (Some(at(7)), Some(at(8))));
    let mut tx = store.begin().await.unwrap();
    tx.set_locked("ann", true).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.token_user("h2").await.unwrap(), None, "a locked user's tokens are void");
    let mut tx = store.begin().await.unwrap();
    tx.set_locked("ann", false).await.unwrap();
    tx.revoke_tokens_of(ann.id, at(9)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.token_user("h2").await.unwrap(), None);
}

pub async fn sessions_come_and_go(store: &Store) {
    let session = |id: &str, expires: i64, user: Option<&str>| SessionRecord {
        id: id.into(),
        data: vec![0, 159, 146, 150],
        expires_at: at(expires),
        user: user.map(str::to_owned),
    };
    store.create_session(&session("s", 100, None)).await.unwrap();
    assert!(matches!(store.create_session(&session("s", 200, None)).await, Err(Error::Taken { what: "session", .. })));
    assert_eq!(store.load_session("s", at(99)).await.unwrap(), Some(session("s", 100, None)));
    assert_eq!(store.load_session("s", at(100)).await.unwrap(), None);
    store.save_session(&session("s", 300, Some("ann"))).await.unwrap();
    store.save_session(&session("t", 50, None)).await.unwrap();
    store.save_session(&session("u", 300, Some("ann"))).await.unwrap();
    assert_eq!(store.delete_expired_sessions(at(60)).await.unwrap(), 1);
    assert_eq!(store.load_session("s", at(100)).await.unwrap(), Some(session("s", 300, Some("ann"))));
    store.delete_session("s").await.unwrap();
    store.delete_session("s").await.unwrap();
    assert_eq!(store.load_session("s", at(100)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_sessions_of("ann").await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(store.load_session("u", at(100)).await.unwrap(), None);
}

pub async fn answers_are_replayed_to_the_same_request_only(store: &Store) {
    assert_eq!(store.replayed("ann", "k", "hash").await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.remember("ann", "k", "hash", 202, b"{}", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.replayed("ann", "k", "hash").await.unwrap(), Some(Remembered::Answer { status: 202, body: b"{}".to_vec() }));
    assert!(matches!(store.replayed("ann", "k", "other").await, Err(Error::KeyReused { .. })));
    assert_eq!(store.replayed("bob", "k", "other").await.unwrap(), None, "keys are each actor's own");
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.remember("ann", "k", "hash", 200, b"second", at(0)).await, Err(Error::KeyReused { .. })));
    drop(tx);
    assert_eq!(store.forget_keys(at(0)).await.unwrap(), 0);
    assert_eq!(store.forget_keys(at(1)).await.unwrap(), 1);
}

/// A transaction that has an effect, in a request with this key; whether it was committed.
async fn effect(store: &Store, request: &str, subject: &str) -> Result<(), Error> {
    let work = async {
        let mut tx = store.begin().await?;
        tx.record(&event("change.approved", "change", subject)).await?;
        tx.commit().await
    };
    Claim::new("ann", "key", request, at(0)).during(work).await
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

    effect(store, "hash", "c1").await.unwrap();
    assert_eq!(store.replayed("ann", "key", "hash").await.unwrap(), Some(Remembered::Effect("change c1".to_owned())));
    let chain = store.verify_audit(None).await.unwrap().entries;
    assert!(matches!(effect(store, "hash", "c2").await, Err(Error::KeyReused { .. })), "the same request at the same time");
    assert!(matches!(effect(store, "other", "c3").await, Err(Error::KeyReused { .. })));
    assert_eq!(store.verify_audit(None).await.unwrap().entries, chain, "it has one effect");

    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.remember("ann", "key", "other", 200, b"{}", at(0)).await, Err(Error::KeyReused { .. })));
    tx.remember("ann", "key", "hash", 200, b"{}", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.replayed("ann", "key", "hash").await.unwrap(), Some(Remembered::Answer { status: 200, body: b"{}".to_vec() }));
}
