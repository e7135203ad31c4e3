//! What every route shares.

use crate::config::Config;
use crate::connections::Patience;
use crate::limits::Limits;
use crate::oidc::Provider;
use crate::telemetry::Telemetry;
use crate::throttle::Throttle;
use axum::extract::FromRef;
use headroom_app::Assets;
use headroom_service::Headroom;
use leptos::config::LeptosOptions;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::watch;

/// What every route shares; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`].
pub struct Shared {
    /// The use cases.
    pub headroom: Arc<Headroom>,
    /// How Headroom runs.
    pub config: Config,
    /// How long is waited.
    pub patience: Patience,
    /// Attempts to sign in.
    pub throttle: Throttle,
    /// How many requests are answered.
    pub limits: Limits,
    /// The OpenID provider, where there is one.
    pub provider: Option<Provider>,
    /// What is counted.
    pub telemetry: Telemetry,
    /// The names of the site's files.
    pub assets: Assets,
    /// What the page needs to know of its own build.
    pub leptos: LeptosOptions,
    /// Becomes `true` when Headroom ends: long answers end with it.
    pub ending: watch::Receiver<bool>,
}

impl AppState {
    /// Joins the parts.
    #[must_use]
    pub fn new(headroom: Arc<Headroom>, config: Config, ending: watch::Receiver<bool>) -> Self {
        Self::patient(headroom, config, Patience::default(), ending)
    }

    /// The same, with a patience of one's own.
    #[must_use]
    pub fn patient(headroom: Arc<Headroom>, config: Config, patience: Patience, ending: watch::Receiver<bool>) -> Self {
        let assets = crate::site::assets().unwrap_or_else(|| {
            tracing::warn!("the site was not built (make site): pages come without style and script");
            Assets::default()
        });
        let leptos = LeptosOptions::builder().output_name("headroom").build();
        let (throttle, telemetry) = (Throttle::default(), Telemetry::default());
        let limits = Limits::new(config.limits);
        let provider = config.oidc.clone().map(|oidc| Provider::new(oidc, config.address(config.bind)));
        Self(Arc::new(Shared { headroom, config, patience, throttle, limits, provider, telemetry, assets, leptos, ending }))
    }
}

impl Deref for AppState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}
