//! Usage files that people bring: `time,service,metric,value`, and optionally cluster, namespace, workload, container and unit.
//!
//! Plain or gzip; times as RFC 3339 or seconds since the epoch, in any order. Of two samples of one series at one time the later
//! line wins (counted in [`Imported::repeated`]). Each series is put on a regular grid whose step is the median distance of its samples;
//! samples of one interval are merged by the metric's rule, and where the file has nothing the grid has a gap. Several containers of one
//! service add up; of a ratio, a latency or a number of replicas, of which there is no sum, the largest counts.

mod grid;

use self::grid::Point;
use crate::infrastructure::service_id;
use crate::rows::{self, ImportError, Rows};
use headroom_model::metric::{Metric, Unit};
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Container, Managed, ResourceState, Service, ServiceKey};
use headroom_model::time::Timestamp;
use headroom_model::units::{Bytes, Cores};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// By key.
    pub services: Vec<ImportedService>,
    /// Rows read.
    pub rows: u64,
    /// Rows that a later row for the same series and time replaced.
    pub repeated: u64,
    /// Series of events that were running totals and were taken as their increases.
    pub totals: u64,
    /// Services with metrics of GPUs whose number nobody tells.
    pub uncounted_gpus: u64,
    /// Columns that were not understood and left out.
    pub ignored_columns: Vec<String>,
}

impl Imported {
    /// What of the file is not in it as it stands there: a line each, for whoever reads.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.ignored_columns.is_empty() {
            notes.push(format!("left out: the columns {}", self.ignored_columns.join(", ")));
        }
        if self.repeated > 0 {
            notes.push(format!(
                "{} of {} rows were replaced by a later row of the same time, service, container and metric: give what differs names of its own",
                self.repeated, self.rows
            ));
        }
        if self.totals > 0 {
            notes.push(format!(
                "{} series of events hardly ever fall: they are taken for running totals, and their increases are used",
                self.totals
            ));
        }
        if self.uncounted_gpus > 0 {
            notes.push(format!(
                "{} services use GPUs and have no metric {}: one GPU per replica is assumed",
                self.uncounted_gpus,
                Metric::Gpus
            ));
        }
        notes
    }
}

/// One service of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedService {
    /// The service; its state is known where the file has requests or limits.
    pub service: Service,
    /// Each series on its own step.
    pub history: ServiceHistory,
}

/// The cluster, the namespace and the team of services whose file names none.
const UNNAMED: [&str; 3] = ["imported", "default", "imported"];

/// A share may be measured a little beyond all; where most of its values are beyond this, they are in percent.
const BEYOND_SHARE: f64 = 2.0;

/// Reads a usage file, plain or gzip; `-` is standard input.
///
/// # Errors
/// [`ImportError`] names the file, the line and the fault.
pub fn read_usage_csv(path: &Path) -> Result<Imported, ImportError> {
    parse(rows::open(path)?, &path.display().to_string())
}

/// Reads a usage file from anywhere; `name` is what errors call it.
///
/// # Errors
/// [`ImportError`] names the file, the line and the fault.
pub fn read_usage(source: impl Read, name: &str) -> Result<Imported, ImportError> {
    parse(Rows::new(source), name)
}

/// Where each column is.
struct Columns {
    time: usize,
    service: usize,
    metric: usize,
    value: usize,
    cluster: Option<usize>,
    namespace: Option<usize>,
    workload: Option<usize>,
    container: Option<usize>,
    unit: Option<usize>,
}

impl Columns {
    fn find(header: &csv::ByteRecord) -> Result<(Self, Vec<String>), String> {
        let names: Vec<String> =
            header.iter().map(|n| String::from_utf8_lossy(n).trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let find = |name: &str| names.iter().position(|n| n == name);
        let need = |name: &str| {
            find(name).ok_or_else(|| {
                format!("the header has no column {name:?}: it must have time,service,metric,value (found {})", names.join(","))
            })
        };
        let columns = Self {
            time: need("time")?,
            service: need("service")?,
            metric: need("metric")?,
            value: need("value")?,
            cluster: find("cluster"),
            namespace: find("namespace"),
            workload: find("workload"),
            container: find("container"),
            unit: find("unit"),
        };
        let known = ["time", "service", "metric", "value", "cluster", "namespace", "workload", "container", "unit"];
        let ignored = names.iter().filter(|n| !known.contains(&n.as_str())).cloned().collect();
        Ok((columns, ignored))
    }
}

#[derive(Default)]
struct Gathering {
    services: HashMap<(String, String, String), usize>,
    keys: Vec<(String, String, String, Option<String>)>,
    containers: Vec<Vec<String>>,
    series: Vec<BTreeMap<Metric, Vec<Point>>>,
}

fn parse(mut rows: Rows<'_>, name: &str) -> Result<Imported, ImportError> {
    gather(&mut rows).map_err(|fault| ImportError { file: name.to_owned(), line: rows.line.max(1), fault })
}

fn gather(source: &mut Rows<'_>) -> Result<Imported, String> {
    let mut record = csv::ByteRecord::new();
    if !source.next(&mut record)? {
        return Err("the file is empty: it needs the header time,service,metric,value and rows".into());
    }
    let width = record.len();
    let (columns, ignored_columns) = Columns::find(&record)?;
    let mut gathering = Gathering::default();
    let mut rows = 0u64;
    let mut recent: Option<(csv::ByteRecord, usize, u16, Metric)> = None;
    while source.next(&mut record)? {
        rows += 1;
        if record.len() != width {
            return Err(format!("the row has {} columns, the header has {width}", record.len()));
        }
        let same = recent
            .as_ref()
            .is_some_and(|(last, ..)| (0..width).all(|i| i == columns.time || i == columns.value || last.get(i) == record.get(i)));
        if !same {
            let (service, container, metric) = gathering.place(&columns, &record)?;
            recent = Some((record.clone(), service, container, metric));
        }
        let (_, service, container, metric) = recent.as_ref().expect("set above for the first row");
        let time = seconds(&record[columns.time])?;
        let value = number(&record[columns.value], *metric)? * scale(&columns, &record, *metric)?;
        gathering.series[*service].entry(*metric).or_default().push((
            time,
            *container,
            u32::try_from(source.line).unwrap_or(u32::MAX),
            value as f32,
        ));
    }
    if rows == 0 {
        source.line = 1;
        return Err("the file has a header but no rows".into());
    }
    if let Some((line, fault)) = gathering.in_percent() {
        source.line = line;
        return Err(fault);
    }
    gathering.finish(rows, ignored_columns)
}

fn text<'a>(record: &'a csv::ByteRecord, column: usize, what: &str) -> Result<&'a str, String> {
    let text = std::str::from_utf8(&record[column]).map_err(|_| format!("the {what} is not UTF-8"))?.trim();
    if text.is_empty() { Err(format!("the {what} is missing")) } else { Ok(text) }
}

fn optional(record: &csv::ByteRecord, column: Option<usize>, what: &str) -> Result<Option<String>, String> {
    match column {
        Some(i) if !record[i].trim_ascii().is_empty() => text(record, i, what).map(|t| Some(t.to_owned())),
        _ => Ok(None),
    }
}

impl Gathering {
    /// The series that a row belongs to.
    fn place(&mut self, columns: &Columns, record: &csv::ByteRecord) -> Result<(usize, u16, Metric), String> {
        let service = text(record, columns.service, "service")?;
        if service.len() > 250 || service.chars().any(char::is_control) {
            return Err("the service's name is longer than 250 bytes or has control characters".into());
        }
        let metric: Metric =
            text(record, columns.metric, "metric")?.parse().map_err(|e: headroom_model::metric::UnknownMetric| e.to_string())?;
        let cluster = optional(record, columns.cluster, "cluster")?.unwrap_or_else(|| UNNAMED[0].into());
        let namespace = optional(record, columns.namespace, "namespace")?.unwrap_or_else(|| UNNAMED[1].into());
        let workload = optional(record, columns.workload, "workload")?;
        let container = optional(record, columns.container, "container")?.unwrap_or_else(|| "main".into());
        let key = (cluster, namespace, service.to_owned());
        let index = *self.services.entry(key.clone()).or_insert_with(|| {
            self.keys.push((key.0, key.1, key.2, workload));
            self.containers.push(Vec::new());
            self.series.push(BTreeMap::new());
            self.keys.len() - 1
        });
        let names = &mut self.containers[index];
        let container = names.iter().position(|n| *n == container).unwrap_or_else(|| {
            names.push(container);
            names.len() - 1
        });
        let container = u16::try_from(container).map_err(|_| "a service has at most 65535 containers".to_owned())?;
        Ok((index, container, metric))
    }

    /// A share that is given in percent, if there is one, and the line of the first row that shows it.
    fn in_percent(&self) -> Option<(u64, String)> {
        self.keys
            .iter()
            .zip(&self.series)
            .flat_map(|(key, series)| series.iter().map(move |(metric, points)| (&key.2, *metric, points)))
            .find_map(|(service, metric, points)| {
                let beyond = |p: &&Point| f64::from(p.3) > BEYOND_SHARE;
                let is = is_share(metric) && 2 * points.iter().filter(beyond).count() > points.len();
                let first = points.iter().filter(beyond).min_by_key(|p| p.2).filter(|_| is)?;
                let fault = format!(
                    "most values of {metric} of {service} are like {}: it is a share from 0 to 1: give the unit % or divide by 100",
                    first.3
                );
                Some((u64::from(first.2), fault))
            })
    }

    fn finish(self, rows: u64, ignored_columns: Vec<String>) -> Result<Imported, String> {
        let mut out = Imported { rows, ignored_columns, ..Imported::default() };
        for (((cluster, namespace, name, workload), containers), series) in self.keys.into_iter().zip(self.containers).zip(self.series) {
            let gridded = grid::history(series).map_err(|fault| format!("{name}, {fault}"))?;
            let history = gridded.history;
            out.repeated += gridded.repeated;
            out.totals += gridded.totals;
            let key = ServiceKey { cluster, namespace, kind: "Imported".into(), name };
            let labels = workload.into_iter().map(|w| ("workload".to_owned(), w)).collect();
            out.uncounted_gpus += u64::from(uses_gpus(&history) && history.get(Metric::Gpus).is_none());
            let state = state(&history, containers.first().map_or("main", String::as_str));
            let service = Service {
                id: service_id(&key),
                uid: format!("imported-{}", service_id(&key)),
                key,
                team: UNNAMED[2].into(),
                environment: "production".into(),
                labels,
                state,
                calls: Vec::new(),
                managed: Managed::Observed,
            };
            out.services.push(ImportedService { service, history });
        }
        out.services.sort_by(|a, b| a.service.key.cmp(&b.service.key));
        Ok(out)
    }
}

fn uses_gpus(history: &ServiceHistory) -> bool {
    [Metric::GpuUtilization, Metric::GpuMemoryUsed].iter().any(|metric| history.get(*metric).is_some())
}

/// What the file tells of requests and limits: the newest values.
fn state(history: &ServiceHistory, container: &str) -> ResourceState {
    let last = |metric: Metric| history.get(metric).and_then(Series::last).map(|(_, v)| v);
    let cores = |metric: Metric| last(metric).map(Cores::ceil_milli);
    let bytes = |metric: Metric| last(metric).map(|v| Bytes::new(v as u64));
    let told = Container {
        cpu_request: cores(Metric::CpuRequest),
        cpu_limit: cores(Metric::CpuLimit),
        memory_request: bytes(Metric::MemoryRequest),
        memory_limit: bytes(Metric::MemoryLimit),
        // What uses a GPU has at least one.
        gpus: last(Metric::Gpus).map_or_else(|| u32::from(uses_gpus(history)), |v| v.round().min(f64::from(u16::MAX)) as u32),
    };
    let known = told != Container::default();
    ResourceState {
        containers: known.then(|| (container.to_owned(), told)).into_iter().collect(),
        replicas: last(Metric::Replicas).map(|v| v.round() as u32),
        volume: bytes(Metric::VolumeCapacity),
        ..ResourceState::default()
    }
}

/// A time as files write it, RFC 3339 or seconds since the epoch, in seconds since the epoch.
///
/// # Errors
/// What is wrong with it.
pub fn seconds(bytes: &[u8]) -> Result<i64, String> {
    if let Some(time) = plain_utc(bytes) {
        return Ok(time);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the time is not UTF-8".to_owned())?.trim();
    text.parse::<Timestamp>().map(Timestamp::secs).map_err(|e| e.to_string())
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the usual form, without the detour over text; anything unusual is left to the full parser.
fn plain_utc(b: &[u8]) -> Option<i64> {
    let b: &[u8; 20] = b.try_into().ok()?;
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if shape.iter().any(|(i, c)| b[*i] != *c) {
        return None;
    }
    let number =
        |from: usize, to: usize| b[from..to].iter().try_fold(0i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let ok = (1..=12).contains(&month) && (1..=28).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !ok {
        return None;
    }
    // Days from the civil date, after Howard Hinnant's algorithm.
    let y = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Whether a metric is a part of a whole. An imbalance is how much one has over the others.
fn is_share(metric: Metric) -> bool {
    metric.unit() == Unit::Ratio && metric != Metric::LoadImbalance
}

fn number(bytes: &[u8], metric: Metric) -> Result<f64, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the value is not UTF-8".to_owned())?.trim();
    let value: f64 = text.parse().map_err(|_| format!("the value {text:?} is not a number: write for example 0.25"))?;
    if !value.is_finite() {
        return Err(format!("the value {text:?} is not finite: leave the row out where nothing was measured"));
    }
    if value < 0.0 {
        return Err(format!("the value {text:?} is negative: {metric} cannot be less than nothing"));
    }
    if value > 1e30 {
        return Err(format!("the value {text:?} is too large"));
    }
    Ok(value)
}

/// The factor from the row's unit to the metric's own.
fn scale(columns: &Columns, record: &csv::ByteRecord, metric: Metric) -> Result<f64, String> {
    let Some(name) = optional(record, columns.unit, "unit")? else { return Ok(1.0) };
    let factor = match (metric.unit(), name.to_ascii_lowercase().as_str()) {
        (Unit::Cores, "cores" | "core")
        | (Unit::Bytes, "bytes" | "byte" | "b")
        | (Unit::BytesPerSecond, "bytes_per_second" | "bytes/s" | "b/s")
        | (Unit::PerSecond, "per_second" | "requests/s" | "/s" | "1/s")
        | (Unit::Milliseconds, "ms" | "milliseconds")
        | (Unit::Ratio, "ratio")
        | (Unit::Count, "count") => 1.0,
        (Unit::Cores, "millicores" | "m") => 1e-3,
        (Unit::Bytes | Unit::BytesPerSecond, "kib" | "kib/s") => 1024.0,
        (Unit::Bytes | Unit::BytesPerSecond, "mib" | "mib/s") => 1_048_576.0,
        (Unit::Bytes | Unit::BytesPerSecond, "gib" | "gib/s") => 1_073_741_824.0,
        (Unit::Milliseconds, "s" | "seconds") => 1000.0,
        (Unit::Ratio, "percent" | "%") => 0.01,
        _ => return Err(format!("the unit {name:?} does not fit {metric}: leave it empty or use the unit the metric's name says")),
    };
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(text: &str) -> Result<Imported, ImportError> {
        read_usage(text.as_bytes(), "usage.csv")
    }

    #[test]
    fn the_later_line_wins_and_containers_add_up() {
        let text = "time,service,metric,value,namespace,container\n\
            0,a,cpu_usage_cores,1,n,x\n0,a,cpu_usage_cores,2,n,x\n0,a,cpu_usage_cores,5,n,y\n60,a,cpu_usage_cores,4,n,x\n";
        let imported = read(text).unwrap();
        assert_eq!(imported.repeated, 1);
        assert!(imported.notes()[0].starts_with("1 of 4 rows"), "{:?}", imported.notes());
        assert_eq!(imported.services[0].history.get(Metric::CpuUsage).unwrap().values, [7.0, 4.0]);
        assert_eq!(imported.services[0].service.key.namespace, "n");
    }

    #[test]
    fn requests_and_units_are_understood() {
        let text = "time,service,metric,value,unit\n0,a,cpu_usage_cores,250,millicores\n0,a,cpu_request_cores,0.5,\n\
            0,a,memory_limit_bytes,2,GiB\n0,a,cpu_utilization_ratio,40,%\n";
        let imported = read(text).unwrap();
        let one = &imported.services[0];
        assert_eq!(one.service.state.cpu_request().unwrap().to_string(), "500m");
        assert_eq!(one.service.state.memory_limit().unwrap().to_string(), "2Gi");
        assert_eq!(one.history.get(Metric::CpuUsage).unwrap().values, [0.25]);
        assert_eq!(one.history.get(Metric::CpuUtilization).unwrap().values, [0.4]);
    }

    #[test]
    fn gpus_are_as_many_as_the_file_says_and_else_one() {
        let used = |more: &str| read(&format!("time,service,metric,value,container\n0,a,gpu_utilization,0.3,x\n{more}")).unwrap();
        let (told, untold) = (used("0,a,gpus,3,x\n0,a,gpus,1,y\n"), used(""));
        assert_eq!((told.services[0].service.state.gpus(), told.notes()), (4, Vec::new()));
        assert_eq!((untold.services[0].service.state.gpus(), untold.notes().len()), (1, 1));
        assert_eq!(read("time,service,metric,value\n0,a,cpu_usage_cores,1\n").unwrap().services[0].service.state.gpus(), 0);
    }

    #[test]
    fn a_fault_is_named_with_its_line() {
        let head = "time,service,metric,value\n0,a,cpu_usage_cores,1\n";
        let cases = [
            ("", 1, "empty"),
            ("time,service,metric\n", 1, "no column \"value\""),
            ("time,service,metric,value\n", 1, "no rows"),
            (&format!("{head}300,a,cpu_usage_cores,x\n"), 3, "not a number"),
            (&format!("{head}300,a,cpu_usage_cores,\n"), 3, "not a number"),
            (&format!("{head}300,a,cpu_usage_cores,NaN\n"), 3, "not finite"),
            (&format!("{head}300,a,cpu_usage_cores,inf\n"), 3, "not finite"),
            (&format!("{head}300,a,cpu_usage_cores,-1\n"), 3, "negative"),
            (&format!("{head}300,a,cpu_usage_cores,1e99\n"), 3, "too large"),
            (&format!("{head}300,a,cpu,1\n"), 3, "unknown metric"),
            (&format!("{head}300,,cpu_usage_cores,1\n"), 3, "service is missing"),
            (&format!("{head}yesterday,a,cpu_usage_cores,1\n"), 3, "not a time"),
            (&format!("{head}2014-02-30T00:00:00Z,a,cpu_usage_cores,1\n"), 3, "not a time"),
            (&format!("{head}300,a,cpu_usage_cores,1,9\n"), 3, "5 columns"),
            (&format!("{head}\n\n300,a\n"), 5, "2 columns"),
            (&format!("{head}300,a,cpu_usage_cores,1\n300,a,cpu_usage_cores,?").replace('\n', "\r\n"), 4, "not a number"),
            (&format!("{head}300,\"a, b\",cpu_usage_cores,?\n"), 3, "not a number"),
        ];
        for (text, line, part) in cases {
            let error = read(text).unwrap_err();
            assert!(error.line == line && error.fault.contains(part), "{text:?}: {error}");
            assert!(error.to_string().starts_with("usage.csv: line "));
        }
        let percent: String = (0..9).map(|i| format!("{},a,cpu_utilization_ratio,{}\n", 300 * i, if i < 2 { 1 } else { 55 + i })).collect();
        let error = read(&format!("time,service,metric,value\n\n{percent}")).unwrap_err();
        assert!(error.line == 5 && error.fault.contains("cpu_utilization_ratio of a are like 57: it is a share"), "{error}");
        assert!(read("time,service,metric,value\n0,a,load_imbalance_ratio,3\n0,a,cpu_utilization_ratio,1.3\n").is_ok());
        let text = "time,service,metric,value,unit\n0,a,cpu_usage_cores,1,GiB\n";
        assert!(read(text).unwrap_err().fault.contains("unit"));
        let missing = read_usage_csv(Path::new("/nowhere/at/all.csv")).unwrap_err();
        assert!(missing.to_string().contains("cannot be opened"));
    }

    #[test]
    fn gzip_is_noticed_by_itself_and_a_cut_file_is_refused() {
        let text = "time,service,metric,value\n0,a,cpu_usage_cores,1\n60,a,cpu_usage_cores,2\n";
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zipped.write_all(text.as_bytes()).unwrap();
        let bytes = zipped.finish().unwrap();
        assert_eq!(read_usage(&bytes[..], "u.gz").unwrap(), read(text).unwrap());
        assert!(read_usage(&bytes[..bytes.len() - 9], "u.gz").unwrap_err().fault.contains("cannot be read"));
    }

    #[test]
    fn the_short_way_to_read_times_agrees_with_the_long_one() {
        for text in ["1970-01-01T00:00:00Z", "1998-04-30T21:30:00Z", "2000-02-28T23:59:59Z", "2024-03-01T00:00:00Z", "1969-12-28T10:00:00Z"]
        {
            let long = text.parse::<Timestamp>().unwrap().secs();
            assert!(text.contains("-30T") || plain_utc(text.as_bytes()) == Some(long), "{text}");
            assert_eq!(seconds(text.as_bytes()), Ok(long), "{text}");
        }
    }
}
