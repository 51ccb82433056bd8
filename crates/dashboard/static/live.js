// Live updates. One stream says that something changed; then the page fetches its own <main> and puts it
// in place. What is there changes where it stands; what comes, goes or moves waits behind a button.

import { rove, say, showZone } from "./dashboard.js";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = one("main");
const isLivePage = ["now", "job", "history"].includes(main.dataset.page)
  && !/[?&](after|before|from|to)=/.test(location.search);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const SILENT_MS = 15_000, LOST_MS = 120_000, HIDDEN_MS = 300_000;
// The server's clock minus ours.
let skew = Number(main.dataset.at) - Date.now();
const serverNow = () => Date.now() + skew;
let touchedAt = 0, pausedAt = 0, changesWhilePaused = 0;
for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
  addEventListener(kind, () => { touchedAt = Date.now(); }, { passive: true });
}

// Ages and open bars.
const two = (n) => String(n).padStart(2, "0");
function ageText(ms) {
  let s = Math.max(0, Math.floor(ms / 1000));
  if (s >= 600) s -= s % 10;
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86_400)}d ${two(Math.floor((s % 86_400) / 3600))}h`;
}
function spokenText(ms) {
  const minutes = Math.floor(ms / 60_000);
  return minutes < 1 ? "under a minute" : minutes === 1 ? "1 minute" : `${minutes} minutes`;
}
const setText = (it, text) => { if (it.textContent !== text) it.textContent = text; };
function tick(root, now = serverNow()) {
  for (const it of all("[data-since]", root)) setText(it, ageText(now - Number(it.dataset.since)));
  for (const it of all("[data-spoken-since]", root)) {
    setText(it, spokenText(now - Number(it.dataset.spokenSince)));
  }
  for (const bar of all("[data-open-from]", root)) grow(bar, now);
}
function grow(bar, now) {
  const axis = bar.closest("[data-axis-from]");
  if (!axis) return;
  const place = (at) => Math.min(100, (at - Number(axis.dataset.axisFrom)) * 100 / Number(axis.dataset.axisSpan));
  const from = place(Number(bar.dataset.openFrom)), to = place(now);
  bar.setAttribute("width", `${Math.max(0.2, to - from).toFixed(2)}%`);
  one("[data-caret] > svg", bar.closest("svg"))?.setAttribute("x", `${to.toFixed(2)}%`);
  if (to > 90) refreshSoon(10_000);
}

// Putting a fresh part in the place of the old one, element by element, so that focus and what is
// unfolded stay.
const KEPT = new Set(["open", "tabindex"]);
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh.cloneNode(true));
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.matches(":popover-open, dialog[open], input")) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((child, at) => {
    if (before[at]) morph(before[at], child);
    else old.append(child.cloneNode(true));
  });
  for (const child of before.slice(after.length)) child.remove();
}
const steady = (cell) => {
  const copy = cell.cloneNode(true);
  for (const it of all("[data-since], [data-spoken-since]", copy)) it.remove();
  return copy.textContent;
};
function morphRow(row, fresh) {
  const changed = [...row.children].filter((cell, at) => fresh.children[at] && steady(cell) !== steady(fresh.children[at]));
  row.classList.remove("ended");
  morph(row, fresh);
  if (calm.matches) return;
  for (const cell of changed) {
    cell.classList.add("changed");
    setTimeout(() => cell.classList.remove("changed"), 2000);
  }
}

// Lists. New rows and rows that ended wait until the reader wants them.
const rowsOf = (root) => new Map(all("[data-row]", root).map((row) => [row.dataset.row, row]));
const bodyOf = (list) => one("[data-body]", list);
const held = new Map();
function isAtRest(list) {
  return scrollY < 8 && Date.now() - touchedAt > 30_000 && getSelection().isCollapsed
    && !one("[data-row]:hover", list) && !list.contains(document.activeElement)
    && !one("dialog[open], :popover-open, .cause details[open]");
}
function updateList(list, fresh, freshMain) {
  const body = bodyOf(list), freshBody = bodyOf(fresh);
  const old = rowsOf(body), next = rowsOf(freshBody);
  for (const [id, row] of old) {
    if (next.has(id)) morphRow(row, next.get(id));
    else endRow(row, id, freshMain);
  }
  const added = [...next.keys()].filter((id) => !old.has(id)).length;
  const ended = [...old.keys()].filter((id) => !next.has(id)).length;
  const isMoved = [...next.keys()].filter((id) => old.has(id)).join() !== [...old.keys()].filter((id) => next.has(id)).join();
  const button = one("[data-news]", list);
  if (!added && !ended && !isMoved) {
    held.delete(list.dataset.list);
    button.hidden = true;
    return;
  }
  held.set(list.dataset.list, freshBody);
  if (isAtRest(list)) return showNews(list);
  const parts = [];
  const noun = list.dataset.list === "attention" ? ["cause", "causes"] : ["job", "jobs"];
  if (added) parts.push(`${added} new ${noun[added === 1 ? 0 : 1]}`);
  if (ended) parts.push(`${ended} ended`);
  if (!parts.length) parts.push("new order");
  button.textContent = `${parts.join(", ")}: show ${added + ended === 1 ? "it" : "them"}`;
  button.hidden = false;
}
function showNews(list) {
  const freshBody = held.get(list.dataset.list);
  if (!freshBody) return;
  held.delete(list.dataset.list);
  const body = bodyOf(list), old = rowsOf(body);
  const active = body.contains(document.activeElement) ? document.activeElement : undefined;
  const focused = active?.closest("[data-row]");
  const fresh = freshBody.cloneNode(true);
  tick(fresh);
  // A row that was there stays the same element, with what is unfolded in it.
  for (const [id, row] of rowsOf(fresh)) if (old.has(id)) row.replaceWith(old.get(id));
  body.replaceChildren(...fresh.childNodes);
  one("[data-news]", list).hidden = true;
  if (focused && body.contains(focused)) active.focus({ preventScroll: true });
  rove(focused);
}
const WHERE = { waiting: "waits", starting: "starts", running: "runs" };
function endRow(row, id, freshMain) {
  if (row.classList.contains("ended")) return;
  row.classList.add("ended");
  const cell = one(".why-cell, .phase-cell, .stage", row);
  if (!cell || main.dataset.page !== "now") return;
  const list = all("[data-list]", freshMain).find((it) => it.dataset.list !== "attention" && rowsOf(it).has(id));
  if (list) { cell.textContent = `${WHERE[list.dataset.list] ?? "moved"} now`; return; }
  cell.textContent = "ended";
  fetch(`/api/v1/jobs/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : {}))
    .then((job) => { if (job.verdict) cell.textContent = job.verdict.replace("_", " "); })
    .catch(() => {});
}

// Fetching. At most one at a time, and one per second.
let fetching = false, again = false, refreshTimer, fetchedAt = 0, titleAt = 0;
function refreshSoon(pause = 1000) {
  if (!isLivePage || refreshTimer || pausedAt) return;
  refreshTimer = setTimeout(refresh, Math.max(0, fetchedAt + pause - Date.now()));
}
async function refresh() {
  refreshTimer = undefined;
  if (fetching) { again = true; return; }
  fetching = true;
  fetchedAt = Date.now();
  try {
    const url = new URL(location.href);
    url.hash = "";
    const answer = await fetch(url, { headers: { Accept: "text/html; fragment=live" }, signal: AbortSignal.timeout(10_000) });
    if (answer.ok) {
      const fresh = one("main", new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (fresh && !pausedAt) update(fresh);
    }
  } catch { /* the banner tells when the stream is silent */ }
  fetching = false;
  if (again) { again = false; refreshSoon(); }
}
function update(fresh) {
  const state = one(".verdict .state")?.textContent;
  const waits = Number(one('[data-live="waiting-count"]')?.textContent ?? 0);
  const causes = new Set(all(".cause[data-system]").map((it) => it.dataset.row));
  skew = Number(fresh.dataset.at) - Date.now();
  tick(fresh);
  showZone(fresh);
  for (const part of all("[data-live]", main)) {
    const next = one(`[data-live="${part.dataset.live}"]`, fresh);
    if (next && !part.closest("[data-body]")) morph(part, next);
  }
  for (const list of all("[data-list]", main)) {
    const next = one(`[data-list="${list.dataset.list}"]`, fresh);
    if (next) updateList(list, next, fresh);
  }
  // A first job brings lists that the page has not got.
  if (!one("[data-list]", main) && one("[data-list]", fresh)) main.replaceChildren(...fresh.cloneNode(true).childNodes);
  main.dataset.title = fresh.dataset.title;
  setTitle();
  rove(document.activeElement?.closest?.("[data-row]"));
  announce(fresh, state, waits, causes);
}
function setTitle() {
  if (Date.now() - titleAt < 10_000) return;
  titleAt = Date.now();
  document.title = `${main.dataset.title} \u00b7 Fargate Runner`;
  const icon = one('link[rel="icon"]');
  const isGrave = Boolean(one(".cause[data-system]"));
  icon.dataset.calm ??= icon.href;
  const href = isGrave ? "/static/favicon-alert.svg" : icon.dataset.calm;
  if (icon.getAttribute("href") !== href) icon.href = href;
}
function announce(fresh, state, waits, causes) {
  const newState = one(".verdict .state")?.textContent;
  if (newState && newState !== state) return say(`The job is now: ${newState.trim()}.`, /fail/i.test(newState) ? "failure" : "all");
  const cause = all(".cause[data-system]", fresh).find((it) => !causes.has(it.dataset.row));
  if (cause) return say(`New cause: ${one(".cause-name", cause).textContent.trim()}.`, "failure");
  const more = Number(one('[data-live="waiting-count"]')?.textContent ?? 0) - waits;
  if (more > 0) say(`${more} more ${more === 1 ? "job waits" : "jobs wait"}.`);
}

// The stream.
let stream, heardAt = Date.now(), heardServer = Number(main.dataset.at), wasLost = false, wasAway = false, hiddenTimer;
const banner = one("#stream");
function connect() {
  stream?.close();
  stream = new EventSource("/api/v1/events");
  const heard = () => {
    heardAt = Date.now();
    heardServer = serverNow();
    if (wasLost) back("Connected again. Nothing was missed.");
  };
  stream.addEventListener("open", () => { heard(); refreshSoon(); });
  stream.addEventListener("heartbeat", heard);
  stream.addEventListener("job", () => {
    heard();
    if (pausedAt) { changesWhilePaused += 1; showPause(); } else refreshSoon();
  });
  stream.addEventListener("resync", () => {
    heard();
    back("Connected again, the page was read anew.");
    refreshSoon();
  });
}
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
function tell(words, button) {
  banner.hidden = false;
  // A button that is there stays, so that who has reached it does not lose it.
  const there = one("button", banner);
  if (there && there.textContent === button?.textContent) { banner.firstChild.data = words; return; }
  banner.replaceChildren(words);
  if (button) banner.append(" ", button);
}
function makeButton(words, does) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", does);
  return button;
}
let backTimer;
function back(words) {
  if (!wasLost) return;
  [wasLost, wasAway] = [false, false];
  tell(words);
  say(words);
  clearTimeout(backTimer);
  backTimer = setTimeout(() => { if (!wasLost && !pausedAt) banner.hidden = true; }, 5000);
}
function watchStream() {
  const silent = Date.now() - heardAt;
  document.documentElement.classList.toggle("live", silent < SILENT_MS && !pausedAt);
  const state = one("[data-stream-state]"), fresh = one("#fresh");
  if (state && !pausedAt) {
    setText(state, silent < SILENT_MS ? "Live" : "As of");
    setText(fresh, clock(heardServer));
  }
  if (silent < SILENT_MS && navigator.onLine) return;
  const isAway = silent > LOST_MS || !navigator.onLine;
  // The banner's seconds tick, so it is no live region; each change is spoken once.
  if (!wasLost) say(`Live updates stopped at ${clock(heardServer)}.`);
  if (isAway && !wasAway) say(`Not connected since ${clock(heardServer)}. This page shows the past.`);
  [wasLost, wasAway] = [true, isAway];
  if (pausedAt) return;
  if (isAway) {
    tell(`Not connected since ${clock(heardServer)}. This page shows the past.`, makeButton("Reload", () => location.reload()));
  } else {
    tell(`Live updates stopped at ${clock(heardServer)} (${Math.floor(silent / 1000)} s ago). Trying again. Numbers below are from then.`);
  }
  if (stream.readyState === EventSource.CLOSED && Math.floor(silent / 1000) % 5 === 0) connect();
}

// Pausing by the reader.
function showPause() {
  for (const button of all("[data-pause]")) {
    button.setAttribute("aria-pressed", String(Boolean(pausedAt)));
    button.textContent = pausedAt ? "Resume updates" : "Pause updates";
  }
  if (!pausedAt) { banner.hidden = true; return; }
  const n = changesWhilePaused;
  tell(`Updates paused by you at ${clock(pausedAt + skew)}. ${n} ${n === 1 ? "change waits" : "changes wait"}.`, makeButton("Resume", togglePause));
}
function togglePause() {
  pausedAt = pausedAt ? 0 : Date.now();
  changesWhilePaused = 0;
  showPause();
  say(pausedAt ? "Updates paused by you." : "Updates go on.");
  if (!pausedAt) refreshSoon(0);
}
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-pause]")) togglePause();
  const news = event.target.closest?.("[data-news]");
  if (news) {
    const list = news.closest("[data-list]");
    showNews(list);
    if (document.activeElement === document.body) {
      (one(".row-link, summary", bodyOf(list)) ?? list).focus({ preventScroll: true });
    }
  }
});
// A browser opens six connections to one server, and each stream is one of them. So at most three hidden
// tabs keep theirs, for 5 minutes, and a page that the browser keeps for "Back" keeps none.
let giveBack;
function takePlace(n) {
  return new Promise((tell) => {
    if (!navigator.locks) { tell(false); return; }
    navigator.locks.request(`fargate-stream-${n}`, { ifAvailable: true }, (lock) => {
      tell(Boolean(lock));
      return lock ? new Promise((done) => { giveBack = done; }) : undefined;
    });
  });
}
async function hide() {
  for (const n of [1, 2, 3]) {
    if (await takePlace(n)) {
      if (!document.hidden) show();
      else hiddenTimer = setTimeout(() => stream.close(), HIDDEN_MS);
      return;
    }
  }
  if (document.hidden) stream.close();
}
function show() {
  clearTimeout(hiddenTimer);
  giveBack?.();
  if (stream.readyState !== EventSource.CLOSED) return;
  heardAt = Date.now();
  connect();
  refreshSoon(0);
}
if (isLivePage) {
  document.addEventListener("visibilitychange", () => (document.hidden ? hide() : show()));
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => { if (event.persisted) show(); });
}

if (isLivePage) {
  connect();
  let seconds = 0;
  setInterval(() => {
    seconds += 1;
    if (document.hidden) return;
    watchStream();
    if (pausedAt || (calm.matches && seconds % 5)) return;
    tick(main);
    // Some things change without an event: what was "in the last hour" is so no longer.
    if (seconds % 10 === 0 && (main.dataset.page !== "job" || one("[data-since]", main))) refreshSoon(10_000);
  }, 1000);
} else {
  for (const button of all("[data-pause]")) button.hidden = true;
}
