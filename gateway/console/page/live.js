// The cluster's page: asks /cluster/live once a second and shows what comes.

import { Chart } from "/console/chart.js";

const every = 1000, span = 5 * 60 * 1000, keep = 10 * 60 * 1000;
const $ = (selector) => document.querySelector(selector);

const count = (v) => v >= 1e6 ? (v / 1e6).toFixed(1) + " M" : v >= 1e4 ? (v / 1e3).toFixed(1) + " k" : String(Math.round(v * 10) / 10);
const millis = (v) => v >= 1000 ? (v / 1000).toFixed(1) + " s" : (v >= 100 ? v.toFixed(0) : v.toFixed(1)) + " ms";
const age = (s) => s >= 172800 ? Math.floor(s / 86400) + " d" : s >= 7200 ? Math.floor(s / 3600) + " h" : s >= 120 ? Math.floor(s / 60) + " min" : Math.floor(s) + " s";

const charts = [
  new Chart($("#connections"), (s) => s.connections, count, span),
  new Chart($("#deliveries"), (s) => s.deliveries, count, span),
  new Chart($("#latency"), (s) => s.p99 ? [s.p50, s.p99] : [undefined, undefined], millis, span),
  new Chart($("#lag"), (s) => s.lag, count, span),
];
let samples = [];

function element(name, className, ...children) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

// Each node keeps its colour as long as the page is open.
const colours = new Map();
function colour(node) {
  if (!node) return "";
  if (!colours.has(node)) colours.set(node, "o" + colours.size % 8);
  return colours.get(node);
}

function showNodes(cluster, now) {
  const rows = cluster.nodes.map((n) => {
    const row = element("tr");
    const cell = (of, className, ...children) => {
      const td = element("td", className, ...children);
      td.dataset.of = of;
      row.append(td);
    };
    const figure = (v) => n.answered && n.gateway ? v : "–";
    const lost = (n.links || []).reduce((sum, l) => sum + l.lost, 0);
    cell("Node", "", element("span", "swatch " + (n.shard ? colour(n.node) : "")), n.node);
    cell("Roles", "", [n.gateway && "gateway", n.shard && "shard"].filter(Boolean).join(", "));
    cell("State", n.answered ? n.state : n.state === "dead" ? "dead" : "bad", n.answered || n.state === "dead" ? n.state : "silent");
    cell("Shards", "n", n.shard ? String(n.owned) : "–");
    cell("Connections", "n", figure(count(n.connections)));
    cell("Deliveries/s", "n", figure(count(n.deliveries)));
    cell("p50", "n", figure(n.p50 ? millis(n.p50 / 1e6) : "–"));
    cell("p99", "n", figure(n.p99 ? millis(n.p99 / 1e6) : "–"));
    cell("Losses", "n", n.answered ? String(lost) : "–");
    cell("Up", "n", age((now - Date.parse(n.started)) / 1000));
    return row;
  });
  $("#nodes tbody").replaceChildren(...rows);
}

function showShards(cluster) {
  const moving = new Set((cluster.moves || []).map((m) => m.shard));
  const owned = new Map();
  const cells = cluster.shards.map((s) => {
    owned.set(s.owner, (owned.get(s.owner) || 0) + 1);
    const cell = element("i", colour(s.owner));
    if (!s.owner) cell.classList.add("homeless");
    if (s.lag > 1000) cell.classList.add("behind");
    if (moving.has(s.shard)) cell.classList.add("moving");
    cell.dataset.shard = s.shard;
    return cell;
  });
  $("#shards").replaceChildren(...cells);
  const owners = [...owned].sort().map(([node, n]) => element("li", "", element("span", "swatch " + colour(node)), `${node || "nobody"} `, element("span", "soft", String(n))));
  $("#owners").replaceChildren(...owners);
}

let shown = null; // the cluster as it was shown last
function tellShard(e) {
  const s = shown && shown.shards[e.target.dataset.shard];
  if (!s) return;
  $("#shard").textContent = `Shard ${s.shard}: ${s.owner || "nobody"}${s.pinned ? " (moved there by hand)" : ""}, epoch ${s.epoch}, ` +
    `log at ${s.head}, ${s.residents} users in memory, ${s.sessions} sessions, ${s.lag} events behind`;
}
$("#shards").addEventListener("pointerover", tellShard);
$("#shards").addEventListener("click", tellShard);

function showMoves(cluster) {
  const moves = (cluster.moves || []).map((m) => element("li", "", `shard ${m.shard}: ${m.from} → ${m.to}, for ${millis(m.since * 1000)}`));
  $("#moves").replaceChildren(...(moves.length ? moves : [element("li", "soft", "none")]));
}

function showAlerts(cluster) {
  const alerts = [];
  const homeless = cluster.shards.filter((s) => !s.owner).length;
  if (homeless) alerts.push(element("li", "", `${homeless} of ${cluster.shards.length} shards are served by nobody that answers`));
  const dead = new Set(cluster.nodes.filter((n) => n.state === "dead").map((n) => n.node));
  for (const node of (cluster.missing || []).filter((node) => !dead.has(node))) alerts.push(element("li", "", `${node} does not answer`));
  for (const n of cluster.nodes) {
    if (n.state === "dead") alerts.push(element("li", "", `${n.node} has died: no beat for ${age(n.beat_age)}`));
    if (n.state === "draining") alerts.push(element("li", "busy", `${n.node} is draining`));
  }
  const behind = Math.max(0, ...cluster.shards.map((s) => s.lag));
  if (behind > 1000) alerts.push(element("li", "busy", `a shard is ${count(behind)} events behind the log`));
  $("#alerts").replaceChildren(...alerts);
}

function show({ cluster, samples: more, now }) {
  for (const s of more) samples.push({ ...s, time: Date.parse(s.at) });
  const last = samples.at(-1);
  samples = samples.filter((s) => s.time > last.time - keep);
  shown = cluster;
  for (const c of charts) c.show(samples);
  showAlerts(cluster);
  showNodes(cluster, Date.parse(now));
  showShards(cluster);
  showMoves(cluster);
  $("#gatherer").textContent = cluster.node;
}

function state(name, text) {
  $("#state").dataset.state = name;
  $("#state").textContent = text;
}

async function ask() {
  const since = samples.length ? samples.at(-1).time : 0;
  const response = await fetch(`/cluster/live?since=${since}`, { signal: AbortSignal.timeout(10000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  show(await response.json());
  const alive = shown.nodes.filter((n) => n.state !== "dead").length;
  state("live", `${alive} ${alive === 1 ? "node" : "nodes"}, ${shown.shards.length} shards, live`);
}

async function run() {
  for (;;) {
    if (!document.hidden) {
      try {
        await ask();
      } catch (err) {
        state("lost", `this node does not answer (${err.message}); trying again`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
run();
