//! Configuration: defaults, then a TOML file, then `HEADROOM_*` environment variables; checked before anything starts.

use figment::error::{Actual, Kind};
use figment::providers::{Env, Format, Serialized, Toml};
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use headroom_infra::Allowed;
use headroom_model::auth::Role;
use headroom_model::fault::shown;
use headroom_store::StoreConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How Headroom runs. Every key can be set as `HEADROOM_<KEY>`, nested ones with two underscores: `HEADROOM_DATABASE__URL`. What Kubernetes
/// sets for a Service named `headroom` (`HEADROOM_SERVICE_…`, `HEADROOM_PORT`, `HEADROOM_PORT_…`) is not looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub bind: SocketAddr,
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// The address people use, when a proxy stands in front: `https://…` makes cookies `__Host-` and `Secure`, and sends HSTS.
    pub public_url: Option<String>,
    /// Whether a proxy in front sets `X-Forwarded-For`: its last entry is then the address that throttling counts.
    pub trusted_proxy: bool,
    /// Wall seconds, 2 to 30, for which a piece of work is held: when a process has died, another one, or its next start, takes it over
    /// after that. The same for all processes on one database.
    pub lease_secs: i64,
    /// The database.
    pub database: Database,
    /// The log.
    pub log: Log,
    /// Traces.
    pub traces: Traces,
    /// A simulated cluster to watch, when one runs by itself (`headroom simulator`).
    pub simulator: SimulatorLink,
    /// Requests to clusters.
    pub outgoing: Outgoing,
    /// Signing in.
    pub sign_in: SignIn,
    /// An OpenID provider that signs people in.
    pub oidc: Option<Oidc>,
    /// How many requests are answered.
    pub limits: Limits,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; `headroom.db` in the data directory without.
    pub url: Option<String>,
}

/// The log, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: a level, or directives such as `info,headroom_service=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info,sqlx=warn".to_owned(), format: LogFormat::Text }
    }
}

/// Traces, for an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// Where the collector takes OTLP over HTTP, such as `http://127.0.0.1:4318`; without, there are none.
    pub collector: Option<String>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// A simulated cluster that runs by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorLink {
    /// Its address, such as `http://127.0.0.1:7001`.
    pub url: Option<String>,
}

/// Requests to clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outgoing {
    /// The hosts and networks (`10.20.0.0/16`) that they may go to. A host is gone to wherever its name leads, a network whoever is there.
    /// Empty, they may go everywhere. Link-local and metadata addresses are refused in any case.
    pub allow: Allowed,
}

/// Signing in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// Who needs a second factor: `off`, `approvers` (and administrators, who make approvers) or `everybody`. Who has set one up needs
    /// it always; who comes from an identity provider has shown there what it asks for.
    pub second_factor: SecondFactor,
}

/// Who needs a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// Nobody.
    Off,
    /// Approvers and administrators.
    #[default]
    Approvers,
    /// Everybody.
    Everybody,
}

impl SecondFactor {
    /// Whether somebody of this role needs one.
    #[must_use]
    pub fn asks(self, role: Role) -> bool {
        match self {
            Self::Off => false,
            Self::Approvers => matches!(role, Role::Approver | Role::Administrator),
            Self::Everybody => true,
        }
    }
}

/// An OpenID provider. Register `ADDRESS/sign-in/provider/callback` with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its address, as it names itself.
    pub issuer: String,
    /// What Headroom is called there.
    pub client_id: String,
    /// Headroom's secret there: better in `HEADROOM_OIDC__CLIENT_SECRET` or in a file than here.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// A file that holds the secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What the button says.
    #[serde(default = "single_sign_on")]
    pub label: String,
    /// What is asked for beside `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// The claim that people are called by.
    #[serde(default = "usual_name")]
    pub name_claim: String,
    /// The claim that lists their groups.
    #[serde(default = "usual_groups")]
    pub groups_claim: String,
    /// Group to role; of several the last of viewer, manager, engineer, approver, administrator. Without any, nobody is let in.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    /// Group to team, `*` for every team. Where this is empty, everybody sees every team.
    #[serde(default)]
    pub teams: BTreeMap<String, String>,
}

fn single_sign_on() -> String {
    "Single sign-on".to_owned()
}

fn usual_scopes() -> Vec<String> {
    ["profile", "email", "groups"].map(str::to_owned).to_vec()
}

fn usual_name() -> String {
    "preferred_username".to_owned()
}

fn usual_groups() -> String {
    "groups".to_owned()
}

/// Requests a second, and as many at once after a pause; what is beyond is told when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of one user, over sessions and tokens.
    pub per_user: NonZeroU32,
    /// From one address: several people may sit behind it.
    pub per_address: NonZeroU32,
}

/// The longest lease, wall seconds: after it, and the moment until a worker looks, the work of a process that died is taken over, which is
/// promised within 60 s, on clocks that may be apart.
const LONGEST_LEASE: i64 = 30;
/// The highest limit: beyond it nothing is limited.
const MOST_PER_SECOND: u32 = 1_000_000;

impl Default for Limits {
    fn default() -> Self {
        let each = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_user: each(1000), per_address: each(5000) }
    }
}

/// A configuration that cannot be used; names file, line and key, or the environment variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct ConfigError {
    /// `headroom.toml:3` or `HEADROOM_BIND`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub fault: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 3000)),
            data_dir: data_home("headroom"),
            public_url: None,
            trusted_proxy: false,
            lease_secs: 30,
            database: Database::default(),
            log: Log::default(),
            traces: Traces::default(),
            simulator: SimulatorLink::default(),
            outgoing: Outgoing::default(),
            sign_in: SignIn::default(),
            oidc: None,
            limits: Limits::default(),
        }
    }
}

/// The key that is at fault, and why.
type Looked = Result<(), (&'static str, String)>;

impl Log {
    /// What is logged.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn targets(&self) -> Result<Targets, String> {
        const WRITE: &str = "write error, warn, info, debug, trace or off, or directives such as info,headroom_service=debug";
        // A word that is no level would be the name of a part that does not exist, and the log silent for ever.
        let alone = self.level.split(',').map(str::trim).filter(|word| !word.contains('='));
        match alone.into_iter().find(|word| word.is_empty() || word.parse::<LevelFilter>().is_err()) {
            Some(word) => Err(format!("{word:?} is no level: {WRITE}")),
            None => self.level.parse::<Targets>().map_err(|e| format!("{e}: {WRITE}")),
        }
    }
}

impl Oidc {
    fn look(&self) -> Looked {
        let issuer = &self.issuer;
        let parsed = issuer.parse::<http::Uri>().ok().filter(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some());
        match parsed.filter(|_| anonymous(issuer)) {
            None => {
                let fault = "is not an address without a user: write it like https://id.example.com";
                return Err(("oidc.issuer", format!("{:?} {fault}", shown(issuer))));
            }
            Some(u) if u.scheme_str() == Some("http") && !is_loopback(u.host().unwrap_or_default()) => {
                return Err(("oidc.issuer", "passwords and keys must not travel in the open: use https://".to_owned()));
            }
            Some(_) => {}
        }
        if let Some(file) = &self.client_secret_file {
            let fault = match std::fs::read_to_string(file) {
                _ if self.client_secret.is_some() => "oidc.client_secret is set as well: keep one of them".to_owned(),
                Ok(text) if text.trim().is_empty() => "is empty: write the secret into it".to_owned(),
                Ok(_) => String::new(),
                Err(e) => format!("cannot be read: {e}"),
            };
            if !fault.is_empty() {
                return Err(("oidc.client_secret_file", format!("{}: {fault}", file.display())));
            }
        }
        if self.roles.is_empty() {
            return Err((
                "oidc.roles",
                "nobody could sign in: map at least one group to a role, such as platform = \"engineer\"".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Config {
    /// Reads the file (`./headroom.toml` when none is named, if there is one) and the environment, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] for the first fault.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let default = Path::new("headroom.toml");
        let file = file.or_else(|| default.exists().then_some(default));
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| ConfigError { place: path.display().to_string(), fault: format!("cannot be read: {e}") })?,
            None => String::new(),
        };
        Self::read(&file.map(|f| f.display().to_string()).unwrap_or_default(), &text)
    }

    /// Reads a file's text and the environment, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] for the first fault.
    pub fn read(file: &str, text: &str) -> Result<Self, ConfigError> {
        let document = DeTable::parse(text)
            .map_err(|e| ConfigError { place: at_line(file, text, e.span()), fault: e.message().replace('\n', ", ") })?;
        let environment = Env::prefixed("HEADROOM_").ignore(&["config", "crash_at"]).filter(|key| !of_kubernetes(key.as_str())).split("__");
        let values = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::string(text))
            .merge(environment.clone().filter(|key| !is_text(key.as_str())));
        let texts = environment.iter().filter(|(key, _)| is_text(key.as_str()));
        let config: Self = texts
            .fold(values, |all, (key, value)| all.merge(Text { key: key.as_str().to_owned(), value }))
            .extract()
            .map_err(|e| name_fault(file, text, document.get_ref(), e.into_iter().next()))?;
        config.check(|key| place_of(file, text, document.get_ref(), key))
    }

    fn check(self, place: impl Fn(&str) -> String) -> Result<Self, ConfigError> {
        match self.look() {
            Ok(()) => Ok(self),
            Err((key, fault)) => Err(ConfigError { place: place(key), fault: format!("{key}: {fault}") }),
        }
    }

    fn look(&self) -> Looked {
        if let Some(url) = self.public_url.as_deref().filter(|url| !(valid_origin(url) && anonymous(url))) {
            let fault = "is not an address without user and path: write it like https://headroom.example.com";
            return Err(("public_url", format!("{:?} {fault}", shown(url))));
        }
        if !(2..=LONGEST_LEASE).contains(&self.lease_secs) {
            return Err(("lease_secs", format!("{} is not allowed: from 2 to {LONGEST_LEASE}", self.lease_secs)));
        }
        if let Some(fault) = self.database.url.as_deref().and_then(database_fault) {
            return Err(("database.url", fault));
        }
        if let Some(url) = self.simulator.url.as_deref().filter(|url| !valid_origin(url)) {
            return Err(("simulator.url", format!("{:?} is not an address: write it like http://127.0.0.1:7001", shown(url))));
        }
        for (key, limit) in [("limits.per_user", self.limits.per_user), ("limits.per_address", self.limits.per_address)] {
            if limit.get() > MOST_PER_SECOND {
                return Err((key, format!("{limit} is not allowed: from 1 to {MOST_PER_SECOND} requests a second")));
            }
        }
        // A user in it would not be sent.
        if let Some(url) = self.traces.collector.as_deref().filter(|url| !(valid_origin(url) && anonymous(url))) {
            let fault = "is not an address without user and path: write it like http://127.0.0.1:4318";
            return Err(("traces.collector", format!("{:?} {fault}", shown(url))));
        }
        if let Some(oidc) = &self.oidc {
            oidc.look()?;
        }
        self.log.targets().map(drop).map_err(|fault| ("log.level", fault))
    }

    /// Where the database is.
    #[must_use]
    pub fn store(&self) -> StoreConfig {
        match (&self.database.url, self.database_file()) {
            (_, Some(file)) => StoreConfig::sqlite(file),
            (url, None) => StoreConfig { backups: Some(self.data_dir.clone()), ..StoreConfig::at(url.clone().unwrap_or_default()) },
        }
    }

    /// The database's file; `None` where it is a server's.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        match &self.database.url {
            Some(url) if is_postgres(url) => None,
            Some(url) => Some(PathBuf::from(url.trim_start_matches("sqlite:").trim_start_matches("//"))),
            None => Some(self.data_dir.join("headroom.db")),
        }
    }

    /// Whether people reach Headroom through TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|u| u.starts_with("https://"))
    }

    /// What is wrong with where Headroom can be reached: from elsewhere, and as far as it knows without TLS.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        (!self.bind.ip().to_canonical().is_loopback() && !self.secure()).then(|| {
            format!(
                "{} can be reached from elsewhere, where passwords and sessions must not travel in the open: put a proxy with TLS in front, \
                 and set public_url to its https:// address",
                self.bind
            )
        })
    }

    /// The address that people use, without a slash at its end.
    #[must_use]
    pub fn address(&self, bound: SocketAddr) -> String {
        self.public_url.as_deref().map_or_else(|| format!("http://{bound}"), |u| u.trim_end_matches('/').to_owned())
    }
}

/// Keys whose values are text: what the environment holds is taken as it is, where a secret that looks like a number, a bool or a list
/// would become one.
const TEXTS: [&str; 15] = [
    "bind",
    "data_dir",
    "public_url",
    "database.url",
    "log.level",
    "log.format",
    "traces.collector",
    "simulator.url",
    "oidc.issuer",
    "oidc.client_id",
    "oidc.client_secret",
    "oidc.client_secret_file",
    "oidc.label",
    "oidc.name_claim",
    "oidc.groups_claim",
];

fn is_text(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    TEXTS.contains(&key.as_str()) || key.starts_with("oidc.roles.") || key.starts_with("oidc.teams.")
}

/// Kubernetes tells every container of a Service named `headroom` in variables that begin as ours do.
fn of_kubernetes(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "port" || key.starts_with("port_") || key.starts_with("service_")
}

/// A text of the environment.
struct Text {
    key: String,
    value: String,
}

impl Provider for Text {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variable")
    }
    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = nest(&self.key, Value::from(self.value.as_str()));
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// What is wrong with a database's address, which may hold a password: nothing of it is shown but what surely is none.
fn database_fault(url: &str) -> Option<String> {
    const WRITE: &str = "write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let nowhere = path.is_empty() || path.starts_with(":memory:");
        return nowhere.then(|| "this names no file, and state has to be kept in one: write sqlite:PATH".to_owned());
    }
    if is_postgres(url) {
        return postgres_fault(url);
    }
    Some(match url.split_once("://") {
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => format!("{scheme:?} is not supported: {WRITE}"),
        _ => format!("this is not the address of a database: {WRITE}"),
    })
}

fn postgres_fault(url: &str) -> Option<String> {
    const ESCAPE: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE, and percent-encode special characters of the password \
                          (# is %23, / is %2F, ? is %3F, @ is %40)";
    let parsed = match reqwest::Url::parse(url) {
        Ok(parsed) => parsed,
        Err(e) => return Some(format!("the address cannot be read: {e}; {ESCAPE}")),
    };
    // A password that is not encoded ends the address where it would go on, sometimes at a place that can be read.
    let name = parsed.path().trim_start_matches('/');
    let cut = parsed.query().is_some_and(|q| q.split('&').any(|pair| !pair.is_empty() && !pair.contains('=')));
    if cut || parsed.fragment().is_some() || name.contains(['/', '@']) {
        return Some(format!("the address cannot be read; {ESCAPE}"));
    }
    // The driver writes what it does not know into the log, with its value.
    let unknown = parsed.query_pairs().find(|(key, _)| key.contains("pass") && key != "password");
    unknown.map(|(key, _)| format!("{key} is not supported in the address"))
}

/// Whether an address has no user in it.
fn anonymous(url: &str) -> bool {
    !url.contains('@')
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn valid_origin(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|u| {
        matches!(u.scheme_str(), Some("http" | "https")) && u.authority().is_some() && matches!(u.path(), "" | "/") && u.query().is_none()
    })
}

/// A directory for state: under `$XDG_DATA_HOME`, else under `~/.local/share`, else in the current directory.
#[must_use]
pub fn data_home(name: &str) -> PathBuf {
    let variable = |key: &str| std::env::var_os(key).map(PathBuf::from).filter(|p| p.is_absolute());
    variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|h| h.join(".local/share"))).unwrap_or_default().join(name)
}

/// Puts figment's error into the user's terms.
fn name_fault(file: &str, text: &str, document: &DeTable<'_>, error: Option<figment::Error>) -> ConfigError {
    let Some(error) = error else { return ConfigError { place: file.to_owned(), fault: "cannot be used".to_owned() } };
    let mut path = error.path.clone();
    let mut fault = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            format!("there is no such key; known are {}", known.join(", "))
        }
        kind => said(kind, &path.join(".")),
    };
    let key = path.join(".");
    if key == "bind" {
        fault += "; write an address and port such as 127.0.0.1:3000";
    }
    let from_environment = error.metadata.as_ref().is_some_and(|m| m.name.contains("environment"));
    if from_environment {
        return ConfigError { place: format!("HEADROOM_{}", path.join("__").to_uppercase()), fault };
    }
    if !key.is_empty() {
        fault = format!("{key}: {fault}");
    }
    ConfigError { place: place_of(file, text, document, &key), fault }
}

/// What is wrong with a value. What it is stays unsaid where it may be a secret.
fn said(kind: &Kind, key: &str) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) if may_be_secret(key, found) => {
            let found = match found {
                Actual::Str(_) => "a string",
                Actual::Bool(_) => "a bool",
                Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
                Actual::Seq => "a list",
                Actual::Map => "a table",
                _ => "something else",
            };
            format!("invalid value: found {found}, expected {expected}")
        }
        kind => kind.to_string(),
    }
}

fn may_be_secret(key: &str, found: &Actual) -> bool {
    key.starts_with("database") || key.contains("secret") || matches!(found, Actual::Str(text) if text.contains('@'))
}

/// `FILE:LINE` of a dotted key, or the environment variable where the file does not have it.
fn place_of(file: &str, text: &str, document: &DeTable<'_>, key: &str) -> String {
    match span_of(document, key) {
        Some(span) => at_line(file, text, Some(span)),
        None => format!("HEADROOM_{}", key.replace('.', "__").to_uppercase()),
    }
}

fn span_of(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(a, b)| (a, Some(b)));
    let (name, value): (&Spanned<_>, &Spanned<DeValue<'_>>) = table.iter().find(|(k, _)| k.get_ref().as_ref() == first)?;
    match (rest, value.get_ref()) {
        (Some(rest), DeValue::Table(inner)) => span_of(inner, rest).or(Some(name.span())),
        _ => Some(name.span()),
    }
}

fn at_line(file: &str, text: &str, span: Option<Range<usize>>) -> String {
    let line = span.map_or(1, |s| 1 + text.bytes().take(s.start).filter(|b| *b == b'\n').count());
    let mut place = file.to_owned();
    let _ = write!(place, ":{line}");
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Config::read("headroom.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_overrides_the_defaults() {
        let config = Config::read("f", "bind = \"127.0.0.1:4000\"\ndata_dir = \"/srv/h\"\n[log]\nformat = \"json\"\n").unwrap();
        assert_eq!(config.bind.port(), 4000);
        assert_eq!(config.database_file(), Some(PathBuf::from("/srv/h/headroom.db")));
        assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Json, "info,sqlx=warn"));
        assert!(!config.secure());
        assert_eq!(config.address(config.bind), "http://127.0.0.1:4000");
        let config = Config::read("f", "public_url = \"https://h.example/\"").unwrap();
        assert!(config.secure());
        assert_eq!(config.address(config.bind), "https://h.example");
    }

    #[test]
    fn an_address_that_others_reach_wants_tls() {
        let exposed = |text: &str| Config::read("f", text).unwrap().exposed().is_some();
        for loopback in ["bind = \"127.0.0.1:3000\"", "bind = \"[::1]:3000\"", "bind = \"[::ffff:127.0.0.1]:3000\""] {
            assert!(!exposed(loopback), "{loopback}");
        }
        for reached in ["bind = \"0.0.0.0:3000\"", "bind = \"[::]:3000\"", "bind = \"10.0.0.1:3000\""] {
            assert!(exposed(reached) && exposed(&format!("{reached}\npublic_url = \"http://h.example\"")), "{reached}");
            assert!(!exposed(&format!("{reached}\npublic_url = \"https://h.example\"")), "{reached}");
        }
    }

    #[test]
    fn a_bad_or_unknown_key_is_named_with_its_line() {
        assert!(
            fault("\n\nbin = 1\n").starts_with("headroom.toml:3: bin: there is no such key; known are bind,"),
            "{}",
            fault("\n\nbin = 1\n")
        );
        let nested = fault("bind = \"127.0.0.1:1\"\n\n[database]\n# here\nurll = \"x\"\n");
        assert!(nested.starts_with("headroom.toml:5: database.urll: there is no such key; known are url"), "{nested}");
        let wrong = fault("# address\nbind = \"here\"\n");
        assert!(wrong.starts_with("headroom.toml:2: bind: "), "{wrong}");
        let typed = fault("trusted_proxy = 3\n");
        assert!(typed.starts_with("headroom.toml:1: trusted_proxy: ") && typed.contains("bool"), "{typed}");
        let syntax = fault("bind = \"a\"\nlog = [\n");
        assert!(syntax.starts_with("headroom.toml:"), "{syntax}");
        let url = fault("\n[database]\nurl = \"mysql:x\"\n");
        assert!(url.starts_with("headroom.toml:3: database.url: "), "{url}");
        let server = Config::read("f", "[database]\nurl = \"postgres://me:secret@db/headroom\"\n").unwrap();
        assert_eq!((server.database_file(), server.store().url.as_str()), (None, "postgres://me:secret@db/headroom"));
        let public = fault("public_url = \"https://h.example/path\"\n");
        assert!(public.starts_with("headroom.toml:1: public_url: "), "{public}");
        let oidc = "[oidc]\nissuer = \"https://id.example\"\nclient_id = \"headroom\"\n";
        assert!(fault(oidc).contains("oidc.roles: nobody could sign in"), "{}", fault(oidc));
        let open = oidc.replace("https", "http");
        assert!(fault(&open).starts_with("headroom.toml:2: oidc.issuer: passwords"), "{}", fault(&open));
        let role = fault(&format!("{oidc}[oidc.roles]\nplatform = \"boss\"\n"));
        assert!(role.starts_with("headroom.toml:5: oidc.roles.platform: "), "{role}");
        let mapped = Config::read("f", &format!("{oidc}[oidc.roles]\nplatform = \"engineer\"\n")).unwrap().oidc.unwrap();
        assert_eq!((mapped.roles["platform"], mapped.groups_claim.as_str()), (Role::Engineer, "groups"));
        let nowhere = fault("[outgoing]\nallow = [\"10.0.0.0/8\", \"10.0.0.0/40\"]\n");
        assert!(nowhere.starts_with("headroom.toml:2: outgoing.allow: \"10.0.0.0/40\" is no host"), "{nowhere}");
        let never = fault("[limits]\nper_user = 0\n");
        assert!(never.starts_with("headroom.toml:2: limits.per_user: "), "{never}");
        for level in ["a=b=c", "loud", "info,loud", ""] {
            let level = fault(&format!("[log]\nlevel = \"{level}\"\n"));
            assert!(level.starts_with("headroom.toml:2: log.level: ") && level.contains("write error, warn, info"), "{level}");
        }
        let quiet = Config::read("f", "[log]\nlevel = \"warn,headroom_service=debug\"\n").unwrap();
        assert!(quiet.log.targets().is_ok());
        let named = fault("bind = \"localhost:3000\"\n");
        assert!(named.contains("write an address and port such as 127.0.0.1:3000"), "{named}");
        for never in [1, 31, 60] {
            let lease = fault(&format!("lease_secs = {never}\n"));
            assert!(lease.contains("from 2 to 30"), "{lease}");
        }
    }

    #[test]
    fn no_fault_shows_a_secret() {
        let oidc = "[oidc]\nissuer = \"https://id.example\"\nclient_id = \"h\"\n[oidc.roles]\na = \"engineer\"\n";
        let secret = |line: &str| oidc.replace("client_id", &format!("{line}\nclient_id"));
        for text in [
            "database = \"postgres://hr:Pw-77@h/d\"\n",
            "[database]\nurl = 7777\n",
            "[database]\nurl = \"Pw-77@h/d\"\n",
            "[database]\nurl = \"hr:Pw-77@h/d\"\n",
            "[database]\nurl = \"mysql://hr:Pw-77@h/d\"\n",
            "[database]\nurl = \"postgres://hr:Pw-77#x@h/d\"\n",
            "[database]\nurl = \"postgres://hr:77#Pw-77@h/d\"\n",
            "[database]\nurl = \"postgres://hr:77/Pw-77@h/d\"\n",
            "[database]\nurl = \"postgres://hr:77?Pw-77@h/d\"\n",
            "[database]\nurl = \"postgres://hr@h/d?sslpassword=Pw-77\"\n",
            "[database]\nurl = postgres://hr:Pw-77@h/d\n",
            "log = \"http://hr:Pw-77@h\"\n",
            "public_url = \"https://hr:Pw-77@h\"\n",
            "[simulator]\nurl = \"https://hr:Pw-77@h/path\"\n",
            "[traces]\ncollector = \"https://hr:Pw-77@h\"\n",
            "[outgoing]\nallow = [\"http://hr:Pw-77@h\"]\n",
            &oidc.replace("https://id", "https://hr:Pw-77@id"),
            &secret("client_secret = 7777"),
            &secret("client_secret = [\"Pw-77\"]"),
        ] {
            let said = fault(text);
            assert!(said.starts_with("headroom.toml:") && !said.contains("Pw-77") && !said.contains("7777"), "{text}{said}");
        }
    }

    #[test]
    fn what_a_password_must_not_hold_is_said() {
        for password in ["Fal#sch", "Fal/sch", "Fal?sch", "1#2", "1/2", "1?2"] {
            let said = fault(&format!("[database]\nurl = \"postgres://hr:{password}@127.0.0.1/a\"\n"));
            assert!(said.starts_with("headroom.toml:2: database.url: ") && said.contains("percent-encode"), "{password}: {said}");
        }
        for url in ["postgres://hr:Fal%23sch@127.0.0.1:5432/a", "postgres://h/d?user=a&password=b%40c", "postgres://h"] {
            assert!(Config::read("f", &format!("[database]\nurl = \"{url}\"\n")).is_ok(), "{url}");
        }
        for url in ["sqlite:", "sqlite://", "sqlite::memory:"] {
            assert!(fault(&format!("[database]\nurl = \"{url}\"\n")).contains("names no file"), "{url}");
        }
    }

    #[test]
    fn a_secret_has_one_place_that_can_be_read() {
        let oidc =
            |lines: &str| format!("[oidc]\nissuer = \"https://id.example\"\nclient_id = \"h\"\n{lines}\n[oidc.roles]\na = \"engineer\"\n");
        let missing = fault(&oidc("client_secret_file = \"/nonexistent\""));
        assert!(missing.starts_with("headroom.toml:4: oidc.client_secret_file: /nonexistent: cannot be read"), "{missing}");
        let both = fault(&oidc("client_secret = \"a\"\nclient_secret_file = \"/nonexistent\""));
        assert!(both.contains("oidc.client_secret is set as well"), "{both}");
    }
}
