"use strict";
// Draws the figures of a page. Text from models and files is only ever data here, and Vega writes it as text.

const byId = (id) => document.getElementById(id);
const darkTheme = window.matchMedia("(prefers-color-scheme: dark)");
const { specs, dark } = JSON.parse(byId("charts-data").textContent);
const views = new Map(); // by their place on the page

// Records come as columns, in which a text stands once.
function unpacked({ length, columns }) {
  const value = ({ of, at }, i) => (of ? of[at[i]] : at[i]);
  return Array.from({ length }, (_, i) => Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, value(column, i)])));
}
for (const spec of Object.values(specs).flat()) spec.datasets.data = unpacked(spec.datasets.data);

function theme() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const text = { labelColor: color("muted"), titleColor: color("muted"), titleFontWeight: "normal", labelFontSize: 11, titleFontSize: 11 };
  return {
    font: color("sans"),
    axis: { ...text, gridColor: color("line"), domain: false, ticks: false, labelPadding: 6 },
    legend: { ...text, labelFontSize: 12 },
    header: text,
    title: { color: color("ink"), fontSize: 13, fontWeight: "normal", offset: 6 },
    view: { stroke: null },
  };
}

function recolored(value, key) {
  if (!darkTheme.matches || key === "datasets") return value;
  if (typeof value === "string") return dark[value] ?? value;
  if (Array.isArray(value)) return value.map((entry) => recolored(entry));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, recolored(entry, name)]));
  }
  return value;
}

const menusOf = (name) => [...document.querySelectorAll("select[data-figure]")].filter((menu) => menu.dataset.figure === name);

// What the menus of a figure choose: values of its parameters, and the records that have them.
function chosen(name, spec) {
  const choice = Object.fromEntries(menusOf(name).map((menu) => [menu.dataset.param, menu.value]));
  const fits = (record) => Object.entries(choice).every(([param, value]) => !(param in record) || record[param] === value);
  const params = (spec.params ?? []).map((param) => ({ ...param, value: choice[param.name] ?? param.value }));
  const data = spec.datasets.data.filter(fits);
  // Vega-Lite fits a width to its place or steps a height, not both: here every record is a row.
  const rows = spec.width === "container" && spec.height?.step ? { height: spec.height.step * Math.max(data.length, 1) } : {};
  return { ...spec, ...rows, params, datasets: { data } };
}

async function draw(place, name, spec) {
  const { config, ...rest } = chosen(name, spec);
  // "ast" has expressions interpreted, so that the page needs no right to evaluate text as code.
  const options = { actions: false, renderer: "svg", ast: true, config: theme(), mode: "vega-lite" };
  views.get(place)?.finalize();
  views.set(place, (await vegaEmbed(place, recolored(rest), options)).view);
}

async function drawChart(place) {
  const name = place.dataset.chart;
  for (const menu of menusOf(name)) byId(`${menu.id}-said`).textContent = menu.selectedOptions[0].textContent;
  const spec = specs[name];
  if (!Array.isArray(spec)) return draw(place, name, spec);
  if (!place.childElementCount) place.append(...spec.map(() => document.createElement("div")));
  await Promise.all(spec.map((panel, i) => draw(place.children[i], name, panel)));
}

async function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]")) await drawChart(place);
  document.body.dataset.theme = darkTheme.matches ? "dark" : "light"; // everything is drawn
}

// Nothing can be opened on paper, so what is folded is printed open.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll(":is(section, .glance) > details:not([open])")];
  for (const folded of unfolded) folded.open = true;
});
window.addEventListener("afterprint", () => {
  for (const folded of unfolded) folded.open = false;
});

let drawing = drawAll();
const then = (step) => () => {
  drawing = drawing.then(step);
};
darkTheme.addEventListener("change", then(drawAll));
for (const menu of document.querySelectorAll("select[data-figure]")) {
  const place = document.querySelector(`[data-chart="${menu.dataset.figure}"]`);
  menu.addEventListener("change", then(() => drawChart(place)));
}
