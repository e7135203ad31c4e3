//! What people see: pages, components and server functions. The same code runs on the server, which renders a page that can be
//! read and used without JavaScript, and in the browser, which takes that page over.

#![recursion_limit = "512"]

pub mod api;
pub mod components;
#[cfg(feature = "ssr")]
pub mod doorway;
mod error;
pub mod form;
pub mod format;
pub mod link;
pub mod live;
pub mod pages;
mod shell;

#[cfg(feature = "ssr")]
pub use doorway::{HalfSignedInUser, ProviderLabel, RequestId, SessionId, SignedInUser};
pub use error::AppError;
pub use shell::{Assets, shell};

use components::layout::Layout;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Outlet, ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// The whole page, the same on the server and in the browser. Every page is rendered whole before it is sent, so that it has its
/// status and can be read without JavaScript.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Headroom".to_owned() } else { format!("{title} · Headroom") } text="" />
        <Router>
            <Routes fallback=pages::not_found::NotFound>
                <Route path=path!("/sign-in") view=pages::sign_in::SignIn ssr=SsrMode::Async />
                <Route path=path!("/sign-in/code") view=pages::sign_in::SignInCode ssr=SsrMode::Async />
                <Route path=path!("/second-factor") view=pages::second_factor::SecondFactor ssr=SsrMode::Async />
                <Route path=path!("/first-run") view=pages::first_run::FirstRun ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=|| view! { <Layout><Outlet /></Layout> } ssr=SsrMode::Async>
                    <Route path=path!("/") view=pages::overview::OverviewPage ssr=SsrMode::Async />
                    <Route path=path!("/services") view=pages::services::ServicesPage ssr=SsrMode::Async />
                    <Route path=path!("/services/:name") view=pages::service::ServiceDetail ssr=SsrMode::Async />
                    <Route path=path!("/recommendations") view=pages::recommendations::RecommendationsPage ssr=SsrMode::Async />
                    <Route path=path!("/recommendations/:id") view=pages::recommendation::RecommendationDetail ssr=SsrMode::Async />
                    <Route path=path!("/changes") view=pages::changes::ChangesPage ssr=SsrMode::Async />
                    <Route path=path!("/benchmarks") view=pages::benchmarks::BenchmarksPage ssr=SsrMode::Async />
                    <Route path=path!("/benchmarks/:id") view=pages::benchmark::BenchmarkDetail ssr=SsrMode::Async />
                    <Route path=path!("/audit") view=pages::audit::AuditPage ssr=SsrMode::Async />
                    <Route path=path!("/settings") view=pages::settings::SettingsPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/users") view=pages::users::UsersPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/tokens") view=pages::tokens::TokensPage ssr=SsrMode::Async />
                    <Route path=path!("/account") view=pages::account::AccountPage ssr=SsrMode::Async />
                </ParentRoute>
            </Routes>
        </Router>
    }
}
