// Comfort for the reader: keys, copy buttons, theme, time zone, dialogs, a window chosen by dragging.
// Every page is whole without it. Live updates are in live.js.

const store = {
  get: (key, otherwise) => {
    try { return localStorage.getItem(key) ?? otherwise; } catch { return otherwise; }
  },
  set: (key, value) => {
    try { localStorage.setItem(key, value); } catch { /* kept for this page only */ }
  },
};
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const isField = (it) => it?.matches?.("input:not([type=radio]):not([type=checkbox]), textarea, select");

// What a screen reader is told. One sentence per 10 s at most, the newest wins.
let spokenAt = 0, waitingSentence, sayTimer;
export function say(sentence, kind = "all") {
  const wanted = store.get("spoken", "all");
  if (wanted === "off" || (wanted === "failures" && kind !== "failure")) return;
  waitingSentence = sentence;
  if (sayTimer) return;
  sayTimer = setTimeout(() => {
    one("#spoken").textContent = waitingSentence;
    spokenAt = Date.now();
    sayTimer = undefined;
  }, Math.max(0, spokenAt + 10_000 - Date.now()));
}

// A task was not stopped. A screen reader speaks what changes in the region, not what is there from the start.
const urgent = one("[data-alert]");
if (urgent) setTimeout(() => { one("#spoken-alert").textContent = urgent.textContent; }, 100);

// Theme, and the zone in which times are shown.
function chooseTheme(theme) {
  store.set("theme", theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n) => String(n).padStart(2, "0");
function localMoment(at, short) {
  const now = new Date();
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return short ? clock : `${clock}:${two(at.getSeconds())}`;
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year} ${clock}`;
}
export function showZone(root = document) {
  const isLocal = store.get("zone", "utc") === "local";
  for (const time of all("time[datetime]:not([data-keep]):not([data-keep-utc])", root)) {
    time.dataset.utc ??= time.textContent;
    const short = "short" in time.dataset;
    time.textContent = isLocal ? localMoment(new Date(time.dateTime), short) : time.dataset.utc;
  }
  const name = one("[data-zone-name]");
  if (name) name.textContent = isLocal ? "your own" : "UTC";
}
function radio(name, value, choose) {
  for (const it of all(`input[name="${name}"]`)) {
    it.checked = it.value === value;
    it.addEventListener("change", () => choose(it.value));
  }
}
radio("theme", store.get("theme", "system"), chooseTheme);
radio("zone", store.get("zone", "utc"), (zone) => { store.set("zone", zone); showZone(); });
radio("spoken", store.get("spoken", "all"), (wanted) => store.set("spoken", wanted));
showZone();

// Copying. Where the browser gives no clipboard (plain HTTP), a selection is copied.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
async function copyBy(button, text) {
  await copy(text);
  const words = (button.dataset.words ??= button.textContent);
  button.textContent = "Copied";
  one("#spoken").textContent = "Copied";
  setTimeout(() => { button.textContent = words; }, 2000);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.dataset.copy !== undefined) copyBy(button, button.dataset.copy);
  if (button.dataset.copyLines) copyBy(button, button.dataset.copyLines);
  if (button.dataset.copyFrom) {
    const lines = all("li", document.getElementById(button.dataset.copyFrom));
    copyBy(button, lines.map((line) => line.textContent).join("\n"));
  }
  if (button.dataset.openKeys !== undefined) openKeys();
});
// A name that is cut on the page is copied whole.
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (isField(document.activeElement) || !selection.rangeCount) return;
  const part = selection.getRangeAt(0).cloneContents();
  const cut = all("bdi[title], [data-copy-text]", part);
  if (!cut.length) return;
  for (const it of cut) it.textContent = it.dataset.copyText ?? it.title;
  event.clipboardData.setData("text/plain", part.textContent.trim());
  event.preventDefault();
});

// Keys.
const keysDialog = one("#keys");
const singleKeys = one("#single-keys");
singleKeys.checked = store.get("single-keys", "on") === "on";
singleKeys.addEventListener("change", () => store.set("single-keys", singleKeys.checked ? "on" : "off"));
function openKeys() { if (!keysDialog.open) keysDialog.showModal(); }

const rows = () => all("[data-roving] > [data-row]").filter((row) => row.offsetParent !== null);
const rowTarget = (row) => one(".row-link", row) ?? row;
export function rove(current) {
  const list = rows();
  const chosen = list.includes(current) ? current : list[0];
  for (const row of list) rowTarget(row).tabIndex = row === chosen ? 0 : -1;
}
function step(by) {
  const list = rows();
  if (!list.length) return;
  const at = list.indexOf(document.activeElement?.closest?.("[data-row]"));
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  rove(next);
  rowTarget(next).focus({ focusVisible: true });
}
document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("[data-roving] > [data-row]");
  if (row) rove(row);
  showPhase(event.target.closest?.("[data-detail]"));
});
document.addEventListener("pointerover", (event) => showPhase(event.target.closest?.("[data-detail]")));
function showPhase(row) {
  const line = one("[data-phase-detail]");
  if (row && line) line.textContent = row.dataset.detail;
}
rove();

function shiftWindow(by) {
  const view = one("[data-view-from]");
  if (!view) return;
  const from = Number(view.dataset.viewFrom), to = Number(view.dataset.viewTo);
  const moved = (to - from) * by;
  goToWindow(from + moved, to + moved);
}
function goToWindow(from, to) {
  const url = new URL(location.href);
  for (const key of ["last", "after", "before"]) url.searchParams.delete(key);
  const text = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000", "");
  url.searchParams.set("from", text(from));
  url.searchParams.set("to", text(to));
  location.href = url;
}
function copyLink() {
  copy(one("[data-copy-link]")?.href ?? location.href);
  one("#spoken").textContent = "Link copied";
}
function leave() {
  const active = document.activeElement;
  if (active?.closest?.("details.choice")) active.closest("details.choice").open = false;
  for (const menu of all("details.choice[open]")) menu.open = false;
  active?.blur?.();
}
function focusWhy() {
  const why = one("#why") ?? one("#attention-title")?.closest("section")?.querySelector("summary");
  why?.focus({ focusVisible: true });
  why?.scrollIntoView({ block: "nearest" });
}
function copyCommand() {
  const near = document.activeElement?.closest?.("#why, .cause");
  const button = one("[data-copy]", near ?? one("#why") ?? one(".cause details[open]") ?? document);
  button?.click();
}
const click = (selector) => () => all(selector).find((it) => it.offsetParent !== null)?.click();
const PAGES = { n: "/", h: "/history", s: "/start-time", c: "/cost", i: "/images", k: "/checks" };
const KEYS = {
  "?": openKeys,
  "/": () => (one("#filter") ?? one("#find")).focus(),
  j: () => step(1), k: () => step(-1),
  o: () => document.activeElement?.closest?.("[data-row]")?.querySelector("a")?.click(),
  p: click("[data-pause]"), n: click("[data-news]:not([hidden])"), w: focusWhy, c: copyCommand, y: copyLink,
  "[": () => shiftWindow(-1), "]": () => shiftWindow(1),
  1: click('.tabs [data-key="1"]'), 2: click('.tabs [data-key="2"]'), 3: click('.tabs [data-key="3"]'),
  x: click("[data-stop]"),
};
let goUntil = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") { if (!keysDialog.open && !one(":popover-open")) leave(); return; }
  const inRows = document.activeElement?.closest?.("[data-roving] > [data-row]");
  if (inRows && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  if (isField(document.activeElement) || keysDialog.open || one(":popover-open")) return;
  // The list itself stays reachable, so that keys can be switched on again.
  if (!singleKeys.checked && event.key !== "?") return;
  const page = Date.now() < goUntil && PAGES[event.key];
  goUntil = event.key === "g" ? Date.now() + 1500 : 0;
  const does = page ? () => { location.href = page; } : KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

// After a filter is applied, the focus goes to the count, which is announced.
const filtered = "fargate-filtered";
document.addEventListener("click", (event) => {
  if (event.target.closest?.(".filter a, .filter-row a, .sort")) sessionStorage.setItem(filtered, "1");
});
one("form.filter")?.addEventListener("submit", () => sessionStorage.setItem(filtered, "1"));
try {
  if (sessionStorage.getItem(filtered)) {
    sessionStorage.removeItem(filtered);
    const count = one("#count");
    count?.focus({ preventScroll: true });
    if (count) say(`${count.textContent.trim()}, ${one("#answer")?.textContent ?? ""}`);
  }
} catch { /* no storage, no jump */ }

// A window chosen by dragging over the columns.
const chart = one("[data-columns-from]");
chart?.addEventListener("pointerdown", (down) => {
  const box = chart.getBoundingClientRect();
  const share = (event) => Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const first = share(down);
  const chosen = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["class", "chosen"], ["y", 0], ["height", 71]]) chosen.setAttribute(name, value);
  const draw = (event) => {
    const [a, b] = [first, share(event)].sort((x, y) => x - y);
    chosen.setAttribute("x", `${a * 100}%`);
    chosen.setAttribute("width", `${(b - a) * 100}%`);
  };
  const end = (event) => {
    chart.removeEventListener("pointermove", draw);
    chosen.remove();
    const [a, b] = [first, share(event)].sort((x, y) => x - y);
    const from = Number(chart.dataset.columnsFrom), to = Number(chart.dataset.columnsTo);
    if (b - a > 0.01) goToWindow(from + a * (to - from), from + b * (to - from));
  };
  chart.prepend(chosen);
  chart.setPointerCapture(down.pointerId);
  chart.addEventListener("pointermove", draw);
  chart.addEventListener("pointerup", end, { once: true });
});
// A link to a stage or to the events opens what is folded.
const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (target) one("details", target)?.setAttribute("open", "");
