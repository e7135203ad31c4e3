//! A chart: the server's picture first, which the chart script replaces once it is in sight.

use crate::api::ChartView;
use leptos::html::Div;
use leptos::prelude::*;

#[cfg(not(feature = "ssr"))]
mod script {
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen(inline_js = r#"
const shown = new WeakMap();
function draw(host, entry) {
  if (!host.isConnected) return;
  if (entry.chart && host.contains(entry.root)) { entry.chart.update(entry.option); return; }
  entry.chart?.dispose();
  entry.chart = entry.mount(host, entry.option);
  entry.root = host.firstElementChild;
}
export function show_chart(host, option) {
  const url = document.documentElement.dataset.chart;
  if (!url) return;
  let entry = shown.get(host);
  if (entry) { entry.option = option; if (entry.mount) draw(host, entry); return; }
  entry = { option };
  shown.set(host, entry);
  entry.sight = new IntersectionObserver((seen) => {
    if (!seen.some((s) => s.isIntersecting)) return;
    entry.sight.disconnect();
    // Should the script not come, the picture stays.
    import(url).then((module) => { entry.mount = module.mount; draw(host, entry); }, () => {});
  }, { rootMargin: "200px" });
  entry.sight.observe(host);
}
export function hide_chart(host) {
  setTimeout(() => {
    const entry = shown.get(host);
    if (!entry || host.isConnected) return;
    entry.sight.disconnect();
    entry.chart?.dispose();
    shown.delete(host);
  }, 0);
}
"#)]
    extern "C" {
        pub fn show_chart(host: &web_sys::Element, option: &str);
        pub fn hide_chart(host: &web_sys::Element);
    }
}

/// One chart. `size` is the class of the host: `chart-host`, with `tall` or `short`.
#[component]
pub fn Chart(
    /// The picture and the options.
    chart: ChartView,
    /// The host's class.
    #[prop(default = "chart-host")]
    size: &'static str,
) -> impl IntoView {
    let host = NodeRef::<Div>::new();
    let ChartView { svg, options, empty, .. } = chart;
    follow(host, options, empty);
    view! { <div class=size node_ref=host inner_html=svg></div> }
}

#[cfg(not(feature = "ssr"))]
fn follow(host: NodeRef<Div>, options: String, empty: bool) {
    let kept = StoredValue::new_local(None::<web_sys::Element>);
    Effect::new(move || {
        let Some(element) = host.get() else { return };
        if !empty {
            script::show_chart(&element, &options);
        }
        kept.set_value(Some(element.into()));
    });
    on_cleanup(move || {
        if let Some(element) = kept.try_get_value().flatten() {
            script::hide_chart(&element);
        }
    });
}

#[cfg(feature = "ssr")]
fn follow(_host: NodeRef<Div>, _options: String, _empty: bool) {}
