//! The exact plan, line by line: every object that is touched, whole, nothing hidden inside it.

use headroom_model::plan::FieldChange;
use headroom_model::service::{ResourceState, Service};
use headroom_model::view::{DiffLine, DiffObject};
use std::collections::{BTreeMap, BTreeSet};

/// Renders what `changes` do to `service` as the objects a Kubernetes user knows.
/// `note` says why, beside an added line; keyed by field path.
#[must_use]
pub fn render(service: &Service, changes: &[FieldChange], note: impl Fn(&str) -> Option<String>) -> Vec<DiffObject> {
    let before = service_fields(&service.state, changes, |c| &c.from);
    let after = service_fields(&service.state, changes, |c| &c.to);
    let touched: BTreeSet<&str> = changes.iter().map(|c| c.field.as_str()).collect();
    objects(service)
        .into_iter()
        .filter(|o| o.lines.iter().any(|l| l.field.as_deref().is_some_and(|f| touched.contains(f))))
        .map(|o| DiffObject { path: o.path, lines: lines(&o.lines, &before, &after, &note) })
        .collect()
}

struct Object {
    path: String,
    lines: Vec<Template>,
}

/// A line of an object: a heading that belongs to fields beginning with a prefix, or one field.
struct Template {
    indent: usize,
    key: String,
    field: Option<String>,
    owns: String,
}

fn heading(indent: usize, key: &str, owns: impl Into<String>) -> Template {
    Template { indent, key: key.to_owned(), field: None, owns: owns.into() }
}

fn field(indent: usize, key: &str, path: impl Into<String>) -> Template {
    let path = path.into();
    Template { indent, key: key.to_owned(), owns: path.clone(), field: Some(path) }
}

fn objects(service: &Service) -> Vec<Object> {
    let key = &service.key;
    let name = format!("{}/{}", key.namespace, key.name);
    let uid: String = service.uid.chars().take(8).collect();
    let mut out = Vec::new();
    for container in service.state.containers.keys() {
        let base = format!("containers.{container}");
        out.push(Object {
            path: format!("{} {name} · uid {uid}… · spec.template.spec.containers[{container}].resources", key.kind),
            lines: vec![
                heading(0, "requests:", format!("{base}.requests.")),
                field(1, "cpu", format!("{base}.requests.cpu")),
                field(1, "memory", format!("{base}.requests.memory")),
                heading(0, "limits:", format!("{base}.limits.")),
                field(1, "cpu", format!("{base}.limits.cpu")),
                field(1, "memory", format!("{base}.limits.memory")),
                field(1, "nvidia.com/gpu", format!("{base}.gpus")),
            ],
        });
    }
    out.push(Object { path: format!("{} {name} · uid {uid}… · spec", key.kind), lines: vec![field(0, "replicas", "replicas")] });
    out.push(Object {
        path: format!("HorizontalPodAutoscaler {name} · spec"),
        lines: vec![
            field(0, "minReplicas", "autoscaler.min"),
            field(0, "maxReplicas", "autoscaler.max"),
            heading(0, "metrics[cpu].target:", "autoscaler.target_cpu_percent"),
            field(1, "averageUtilization", "autoscaler.target_cpu_percent"),
        ],
    });
    out.push(Object {
        path: format!("PersistentVolumeClaim {name} · spec.resources.requests"),
        lines: vec![field(0, "storage", "volume")],
    });
    out.push(Object {
        path: format!("ConfigMap {name}-parameters · data"),
        lines: service.state.parameters.keys().map(|p| field(0, p, format!("parameters.{p}"))).collect(),
    });
    out
}

fn service_fields(
    state: &ResourceState,
    changes: &[FieldChange],
    side: impl Fn(&FieldChange) -> &Option<String>,
) -> BTreeMap<String, String> {
    let mut fields = state.fields();
    for change in changes {
        match side(change) {
            Some(value) => fields.insert(change.field.clone(), value.clone()),
            None => fields.remove(&change.field),
        };
    }
    fields
}

fn lines(
    template: &[Template],
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    note: &impl Fn(&str) -> Option<String>,
) -> Vec<DiffLine> {
    let (mut old, mut new) = (0, 0);
    let mut out = Vec::new();
    let mut push = |was: Option<String>, is: Option<String>, why: Option<String>| {
        if was == is {
            if let Some(text) = was {
                (old, new) = (old + 1, new + 1);
                out.push(DiffLine { old: Some(old), new: Some(new), text, note: None });
            }
            return;
        }
        if let Some(text) = was {
            old += 1;
            out.push(DiffLine { old: Some(old), new: None, text, note: None });
        }
        if let Some(text) = is {
            new += 1;
            out.push(DiffLine { old: None, new: Some(new), text, note: why });
        }
    };
    for line in template {
        let text = |fields: &BTreeMap<String, String>| match &line.field {
            Some(path) => fields.get(path).map(|v| format!("{}{}: {}", "  ".repeat(line.indent), line.key, yaml(v))),
            None => fields.keys().any(|k| k.starts_with(&line.owns)).then(|| format!("{}{}", "  ".repeat(line.indent), line.key)),
        };
        push(text(before), text(after), line.field.as_deref().and_then(note));
    }
    out
}

/// A bare number is quoted where Kubernetes has a quantity, as people write it.
fn yaml(value: &str) -> String {
    if value.chars().all(|c| c.is_ascii_digit()) { format!("\"{value}\"") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::ids::ServiceId;
    use headroom_model::plan::Plan;
    use headroom_model::service::{Container, Managed, ServiceKey};

    fn service() -> Service {
        let container = Container {
            cpu_request: Some("4".parse().unwrap()),
            memory_request: Some("6Gi".parse().unwrap()),
            memory_limit: Some("6Gi".parse().unwrap()),
            ..Container::default()
        };
        Service {
            id: ServiceId(uuid::Uuid::nil()),
            key: ServiceKey { cluster: "c".into(), namespace: "prices".into(), kind: "Deployment".into(), name: "api".into() },
            uid: "5d1e0000-1".into(),
            team: "t".into(),
            environment: "production".into(),
            labels: BTreeMap::new(),
            state: ResourceState { containers: [("api".to_owned(), container)].into(), replicas: Some(3), ..ResourceState::default() },
            calls: Vec::new(),
            managed: Managed::Direct,
        }
    }

    #[test]
    fn every_line_of_a_touched_object_is_shown_with_its_numbers() {
        let service = service();
        let mut wanted = service.state.clone();
        wanted.set("containers.api.requests.cpu", Some("2")).unwrap();
        wanted.set("containers.api.limits.cpu", Some("4")).unwrap();
        let diff = render(&service, &Plan::difference(&service.state, &wanted), |_| Some("why".into()));
        assert_eq!(diff.len(), 1);
        assert!(diff[0].path.starts_with("Deployment prices/api · uid 5d1e0000"));
        let text: Vec<_> = diff[0].lines.iter().map(|l| (l.old, l.new, l.text.as_str())).collect();
        assert_eq!(
            text,
            [
                (Some(1), Some(1), "requests:"),
                (Some(2), None, "  cpu: \"4\""),
                (None, Some(2), "  cpu: \"2\""),
                (Some(3), Some(3), "  memory: 6Gi"),
                (Some(4), Some(4), "limits:"),
                (None, Some(5), "  cpu: \"4\""),
                (Some(5), Some(6), "  memory: 6Gi"),
            ]
        );
    }

    #[test]
    fn an_untouched_object_is_left_out() {
        let service = service();
        let mut wanted = service.state.clone();
        wanted.set("replicas", Some("2")).unwrap();
        let diff = render(&service, &Plan::difference(&service.state, &wanted), |_| None);
        assert_eq!(diff.len(), 1);
        assert_eq!(diff[0].lines.len(), 2);
    }
}
