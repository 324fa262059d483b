"use strict";
// The pages work without this script. It draws the charts, refreshes the figures, and opens links outside the frame.

const root = document.documentElement;

// Follow Airflow's own choice of light or dark, which it keeps in the local storage.
function theme() {
  const chosen = localStorage.getItem("theme");
  const isDark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "dark" : "light";
}

const views = new Map();

async function draw(figure) {
  const place = figure.querySelector(".chart");
  const spec = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const ink = getComputedStyle(root).getPropertyValue("--ink").trim();
  const line = getComputedStyle(root).getPropertyValue("--line").trim();
  const config = { axis: { labelColor: ink, titleColor: ink, gridColor: line, tickColor: line },
    legend: { labelColor: ink, titleColor: ink } };
  const { view } = await vegaEmbed(place, spec, { actions: false, renderer: "svg", ast: true, config, tooltip: { theme: root.dataset.theme } });
  views.get(figure)?.finalize();
  views.set(figure, view);
  for (const link of place.querySelectorAll("a")) link.setAttribute("tabindex", "-1"); // the keyboard reaches them in the table
  place.querySelector("svg")?.setAttribute("aria-hidden", "true");
}

function drawAll() {
  const watch = new IntersectionObserver((seen) => {
    for (const entry of seen) if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure")) watch.observe(figure);
}

async function save(button) {
  const view = views.get(button.closest("figure"));
  if (!view) return;
  const link = document.createElement("a");
  link.href = await view.toImageURL(button.dataset.save, 2);
  link.download = `${button.dataset.name}.${button.dataset.save}`;
  link.click();
}

function countDown() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const minutes = Math.floor((new Date(place.dataset.until) - Date.now()) / 60000);
    if (minutes < 0) { place.textContent = "closed"; continue; }
    const days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24;
    place.textContent = days ? `${days} d ${hours} h left` : `${hours} h ${minutes % 60} min left`;
  }
}

// Replace the content when it changes, keeping the focus and open details. Leave a page alone while a field has the focus.
let tag = null;
async function refresh() {
  const main = document.querySelector("main");
  if (document.hidden || !main.dataset.live) return;
  try {
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) document.getElementById("status").className = "warn";
    if (!answer.ok && answer.status !== 304) document.getElementById("status").textContent = "These figures are no longer refreshed: log in again.";
    if (answer.status === 304 || !answer.ok) return;
    const first = tag === null;
    tag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!fresh || (first && fresh.innerHTML === initial)) return;
    if (document.activeElement.matches("input, select, textarea")) return void (tag = null);
    const focused = main.contains(document.activeElement) ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
    for (const view of views.values()) view.finalize();
    views.clear();
    const open = [...main.querySelectorAll("details[open]")].map((details) => details.id);
    main.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) (document.getElementById(focused) || main.querySelector(`a[href="${CSS.escape(focused)}"]`))?.focus();
    countDown();
    drawAll();
    document.getElementById("status").textContent = "The figures have changed.";
  } catch { /* the server does not answer for a moment: keep the figures */ }
}

// Airflow shows this page in a frame that may not navigate the window: the outer page follows the link instead.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-save]");
  if (button) return void save(button);
  const link = event.target.closest("a[target]");
  if (!link || window.parent === window) return;
  event.preventDefault();
  const outer = parent.document.createElement("a");
  outer.href = link.href;
  if (link.target === "_blank") outer.target = "_blank";
  parent.document.body.append(outer);
  outer.click();
  outer.remove();
});

document.addEventListener("change", (event) => event.target.matches("select[data-go]") && event.target.form.requestSubmit());
window.addEventListener("storage", (event) => { if (event.key === "theme") { theme(); drawAll(); } });

theme();
const initial = document.querySelector("main").innerHTML;
countDown();
drawAll();
setInterval(countDown, 30000);
setInterval(refresh, 10000);
