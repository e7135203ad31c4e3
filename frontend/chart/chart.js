// Charts in the browser: a thin hand over Apache ECharts, with only the parts we draw.
//
// Built into /pkg/chart.<hash>.js and never part of the first load. The server's shell names it on the document,
//     <html data-chart="/pkg/chart.<hash>.js">
// and whoever draws a chart asks for it when the chart is near the viewport:
//     const { mount } = await import(document.documentElement.dataset.chart);
//     const chart = mount(element, option);          // option: plain JSON, as the server made it; or its text
//     chart.update(option); chart.setTheme(); chart.on("datazoom", f); chart.dispose();
// ('strict-dynamic' lets a trusted script import it.) `element` holds the server's SVG until then; mount replaces it.
//
// Colours: wherever an option names a colour it may write "var(--accent)"; it is resolved against the element, again
// whenever the theme changes (data-theme, or the system's preference). No inline style is ever parsed from HTML: the tooltip
// is drawn as rich text in the SVG, as the content security policy wants.
import * as echarts from "echarts/core";
import { BarChart, BoxplotChart, CustomChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, VisualMapContinuousComponent,
} from "echarts/components";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  BarChart, BoxplotChart, CustomChart, HeatmapChart, LineChart, ScatterChart, DataZoomComponent, GridComponent, LabelLayout,
  LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, VisualMapContinuousComponent, SVGRenderer,
]);

const figure = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Draws `option` into `element`. `theme` ("light" or "dark") is set on the element first, if given; else the page's holds. */
export function mount(element, option, theme) {
  let current = read(option);
  if (theme) element.dataset.theme = theme;
  element.replaceChildren();
  const chart = echarts.init(element, null, { renderer: "svg" });
  const draw = () => {
    const colours = palette(element);
    const option = look(resolve(current, colours.of), colours.of);
    colours.done();
    chart.setOption(option, { notMerge: true });
  };
  draw();

  let frame = 0;
  const size = new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => chart.resize());
  });
  size.observe(element);
  const page = new MutationObserver(draw);
  page.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", draw);

  return {
    update(next) { current = read(next); draw(); },
    setTheme(next) { if (next) element.dataset.theme = next; else delete element.dataset.theme; draw(); },
    on(event, handler) { chart.on(event, handler); return () => chart.off(event, handler); },
    svg() { return chart.renderToSVGString(); },
    dispose() {
      cancelAnimationFrame(frame);
      size.disconnect();
      page.disconnect();
      dark.removeEventListener("change", draw);
      chart.dispose();
    },
  };
}

const read = (option) => (typeof option === "string" ? JSON.parse(option) : option);

/** Looks up custom properties as colours that ECharts can parse: a canvas turns oklch() and light-dark() into sRGB bytes. */
function palette(element) {
  const probe = element.appendChild(document.createElement("i"));
  // A transition would show each colour as the one before it.
  probe.style.transition = "none";
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  return {
    of(name) {
      if (!known.has(name)) {
        probe.style.color = `var(${name})`;
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = getComputedStyle(probe).color;
        pixel.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
        known.set(name, `rgba(${r},${g},${b},${+(a / 255).toFixed(3)})`);
      }
      return known.get(name);
    },
    done: () => probe.remove(),
  };
}

/** Replaces every "var(--name)" in an option. */
function resolve(value, colour) {
  if (typeof value === "string") return value.startsWith("var(--") ? colour(value.slice(4, -1)) : value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((item) => resolve(item, colour));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, colour)]));
}

/** What every chart shares: type, axes, tooltip (in the unit that names the y axis), UTC, motion. The option's own choices win, except the tooltip's render mode. */
function look(option, colour) {
  const font = getComputedStyle(document.body).fontFamily;
  const axis = (own) => ({
    ...own,
    axisLine: { lineStyle: { color: colour("--line-strong") }, ...own.axisLine },
    axisTick: { show: false, ...own.axisTick },
    axisLabel: { color: colour("--ink-3"), fontSize: 11, hideOverlap: true, ...own.axisLabel },
    nameTextStyle: { color: colour("--ink-3"), fontSize: 11, ...own.nameTextStyle },
    splitLine: { lineStyle: { color: colour("--line") }, ...own.splitLine },
  });
  const axes = (own) => own && (Array.isArray(own) ? own.map(axis) : axis(own));
  const legends = (own) => own && [own].flat().map((one) => ({ ...one, textStyle: { color: colour("--ink-2"), ...one.textStyle } }));
  const marks = (own) => own && { silent: true, ...own, label: { color: colour("--ink-2"), fontSize: 11, textBorderWidth: 0, ...own.label } };
  const end = (own) => own && { textBorderWidth: 0, color: colour("--ink-2"), fontSize: 11, ...own };
  const series = (own) => ({ ...own, endLabel: end(own.endLabel), emphasis: { disabled: true, ...own.emphasis }, markLine: marks(own.markLine), markArea: marks(own.markArea) });
  const unit = [option.yAxis].flat()[0]?.name ?? "";
  return {
    ...option,
    useUTC: option.useUTC ?? true,
    color: option.color ?? ["--data-1", "--data-2", "--data-3", "--data-4"].map(colour),
    textStyle: { fontFamily: font, color: colour("--ink"), ...option.textStyle },
    animation: !still.matches && (option.animation ?? false),
    xAxis: axes(option.xAxis),
    yAxis: axes(option.yAxis),
    legend: legends(option.legend),
    series: [option.series ?? []].flat().map(series),
    tooltip: option.tooltip && {
      backgroundColor: colour("--raised"), borderColor: colour("--line-strong"), borderWidth: 1, confine: true,
      valueFormatter: (value) => (typeof value === "number" ? `${figure.format(value)} ${unit}` : "no data"),
      ...[option.tooltip].flat()[0],
      textStyle: { color: colour("--ink"), fontSize: 12, fontFamily: font, ...[option.tooltip].flat()[0].textStyle },
      renderMode: "richText",
    },
  };
}
