"use strict";
// Lets a reader look through the items. Text from models and files is only ever written with textContent.

const PAGE = 20;
let items = null;
let found = [];
let page = 0;

async function unpack() {
  const bytes = Uint8Array.from(atob(byId("items-data").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const shown = (score) => (score === null ? "no score" : Number.isInteger(score) ? String(score) : score.toFixed(2));
const words = (name) => name.replaceAll("_", " ");

function direction(i, level) {
  const before = items.scores[i][0], after = items.scores[i][level];
  if (before === null || after === null || before === after) return "";
  return after < before !== items.lower[i] ? "worse" : "better";
}

function choices(select, values) {
  const chosen = select.value;
  select.replaceChildren(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  select.value = values.includes(chosen) ? chosen : "";
}

function filter() {
  const wanted = byId("search").value.trim().toLowerCase();
  const level = items.levels.indexOf(byId("level").value);
  const [change, category, template] = ["change", "category", "template"].map((id) => byId(id).value);
  const matches = new Map();
  const has = (text) => {
    if (!matches.has(text)) matches.set(text, items.texts[text].toLowerCase().includes(wanted));
    return matches.get(text);
  };
  found = [];
  for (let i = 0; i < items.id.length; i++) {
    const moved = direction(i, level);
    if (change === "changed" ? !moved : change && moved !== change) continue;
    if (category && items.names[items.category[i]] !== category) continue;
    if (template && items.names[items.template[i]] !== template) continue;
    if (
      wanted &&
      !items.id[i].toLowerCase().includes(wanted) &&
      ![items.question[i], items.target[i], items.responses[i][0], items.responses[i][level]].some(has)
    ) continue;
    found.push(i);
  }
  if (byId("order").value === "flips") found.sort((a, b) => items.flips[b] - items.flips[a] || a - b);
  page = 0;
  list();
}

function list() {
  const level = items.levels.indexOf(byId("level").value);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const number = new Intl.NumberFormat("en");
  byId("status").textContent = `${number.format(found.length)} of ${number.format(items.id.length)} items`;
  byId("place").textContent = `page ${number.format(page + 1)} of ${number.format(pages)}`;
  byId("previous").disabled = page === 0;
  byId("next").disabled = page + 1 >= pages;
  byId("found").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((i) => row(i, level)));
}

function row(i, level) {
  const scores = items.scores[i];
  const details = element("details", "item");
  const summary = element("summary");
  const change = `${items.levels[0]} ${shown(scores[0])} → ${items.levels[level]} ${shown(scores[level])}`;
  const difficulty = items.difficulty[i] === null ? "" : ` · difficulty ${items.difficulty[i]}`;
  summary.append(
    element("span", `scores ${direction(i, level)}`, change),
    element("span", "gist", items.texts[items.question[i]].slice(0, 240)),
    element("span", "where", `${words(items.names[items.category[i]])} · ${words(items.names[items.template[i]])}${difficulty}`),
  );
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(body(i, level));
  });
  return details;
}

function body(i, level) {
  const made = element("div", "body");
  const responses = items.responses[i].map((text) => items.texts[text]);
  const strip = element("p", "strip");
  items.levels.forEach((name, j) => {
    const score = items.scores[i][j];
    strip.append(element("span", direction(i, j), `${name} ${shown(score)}`), " ");
  });
  const pair = element("div", "pair");
  const same = common(responses[0], responses[level]);
  for (const j of [0, level]) {
    const side = element("div");
    side.append(element("h3", "", `${items.levels[j]}: score ${shown(items.scores[i][j])}`), response(responses[j], same));
    pair.append(side);
  }
  const question = element("p", "verbatim question", items.texts[items.question[i]]);
  question.tabIndex = 0; // long ones scroll
  made.append(
    question,
    element("h3", "", "target"),
    element("p", "verbatim", items.texts[items.target[i]] || "(judged by a rubric)"),
    pair,
    element("h3", "", "score at every level"),
    strip,
    element("p", "strip", items.id[i]),
  );
  return made;
}

function common(a, b) {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function response(text, same) {
  const made = element("pre", "verbatim");
  made.tabIndex = 0;
  made.append(text.slice(0, same));
  if (same < text.length) made.append(element("mark", "", text.slice(same)));
  if (!text) made.append(element("span", "strip", "(empty)"));
  return made;
}

function templatesOf(category) {
  const names = new Set();
  items.template.forEach((template, i) => {
    if (!category || items.names[items.category[i]] === category) names.add(items.names[template]);
  });
  return [...names].sort();
}

unpack().then((unpacked) => {
  items = unpacked;
  items.flips = items.scores.map((scores, i) => scores.filter((_, j) => direction(i, j)).length);
  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 150);
  };
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("search").addEventListener("input", soon);
  for (const id of ["level", "change", "template", "order"]) byId(id).addEventListener("change", filter);
  byId("category").addEventListener("change", () => {
    choices(byId("template"), templatesOf(byId("category").value));
    filter();
  });
  const turn = (step) => {
    page += step;
    list();
    byId("status").scrollIntoView({ block: "nearest" });
  };
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  choices(byId("template"), templatesOf(""));
  filter();
}, (error) => {
  byId("status").textContent = `The items cannot be unpacked here (${error.message}); the samples files of the run have them.`;
});
