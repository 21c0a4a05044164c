// Search, sorting, filters, theme. Without this script every page, link and
// table works; with it they are found faster. No network, no storage but the
// theme.
(function () {
  "use strict";
  var doc = document, root = doc.body.dataset.root || "";

  // Theme.
  var html = doc.documentElement;
  function stored(v) {
    try { if (v === undefined) return localStorage.getItem("katprep-theme"); localStorage.setItem("katprep-theme", v); } catch (e) { return null; }
  }
  var theme = stored();
  if (theme === "light" || theme === "dark") html.dataset.theme = theme;
  doc.getElementById("tools").hidden = false;
  doc.getElementById("theme").addEventListener("click", function () {
    var dark = html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    html.dataset.theme = dark ? "light" : "dark";
    stored(html.dataset.theme);
  });

  // Search: the index is a script that is loaded when it is wanted first.
  var box = doc.getElementById("search"), list = doc.getElementById("results"), index = null, at = -1;
  function load() {
    if (index || doc.getElementById("katprep-index")) return;
    var s = doc.createElement("script");
    s.id = "katprep-index";
    s.src = root + "assets/index.js";
    s.onload = function () {
      index = (window.KATPREP_INDEX || []).map(function (l) { return { low: l.toLowerCase(), f: l.split("\t") }; });
      find();
    };
    doc.head.appendChild(s);
  }
  function find() {
    var words = box.value.toLowerCase().split(/\s+/).filter(Boolean), hits = [], i, e;
    if (!words.length || !index) return show([], false);
    for (i = 0; i < index.length && hits.length < 2000; i++) {
      e = index[i];
      if (words.every(function (w) { return e.low.indexOf(w) >= 0; })) hits.push(e);
    }
    var first = words[0];
    function score(e) { var t = e.f[1].toLowerCase(); return t === first ? 0 : t.indexOf(first) === 0 ? 1 : t.indexOf(first) > 0 ? 2 : 3; }
    hits = hits.map(function (e, n) { return [score(e), n, e]; }).sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; });
    show(hits.slice(0, 50).map(function (h) { return h[2]; }), true);
  }
  function text(tag, s) { var n = doc.createElement(tag); n.textContent = s; return n; }
  function show(hits, asked) {
    list.textContent = "";
    at = -1;
    hits.forEach(function (e, i) {
      var li = doc.createElement("li"), a = doc.createElement("a");
      li.id = "hit-" + i;
      li.setAttribute("role", "option");
      a.href = root + e.f[2];
      a.tabIndex = -1;
      a.append(text("span", e.f[0]), text("b", e.f[1]));
      if (e.f[3] && e.f[3] !== e.f[1]) a.append(text("small", e.f[3]));
      li.append(a);
      list.append(li);
    });
    if (asked && !hits.length) { var cve = /^\s*cve-/i.test(box.value) && window.KATPREP_KNOWN, n = text("li", cve ? "No advisory for it is known to " + window.KATPREP_KNOWN + ". That does not mean that no host is affected." : "Nothing found"); n.className = "none"; list.append(n); }
    list.hidden = !asked;
    box.setAttribute("aria-expanded", String(asked && hits.length > 0));
    box.removeAttribute("aria-activedescendant");
  }
  function move(d) {
    var items = list.querySelectorAll("[role=option]");
    if (!items.length) return;
    if (at >= 0) items[at].removeAttribute("aria-selected");
    at = (at + d + items.length) % items.length;
    items[at].setAttribute("aria-selected", "true");
    items[at].scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", items[at].id);
  }
  box.addEventListener("focus", load);
  box.addEventListener("input", function () { load(); find(); });
  box.addEventListener("keydown", function (e) {
    if (e.key === "ArrowDown") { move(1); e.preventDefault(); }
    else if (e.key === "ArrowUp") { move(-1); e.preventDefault(); }
    else if (e.key === "Escape") { box.value = ""; show([], false); }
    else if (e.key === "Enter") {
      var hit = list.querySelector("[aria-selected=true] a") || list.querySelector("a");
      if (hit) hit.click();
    }
  });
  doc.addEventListener("click", function (e) { if (!e.target.closest("#tools")) list.hidden = true; });
  doc.addEventListener("keydown", function (e) {
    if (e.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(doc.activeElement.tagName) && !e.ctrlKey && !e.metaKey && !e.altKey) { box.focus(); e.preventDefault(); }
  });

  // Sortable tables. Numbers, versions and dates sort as people expect.
  var collator = new Intl.Collator("en", { numeric: true });
  function key(row, i) { var c = row.cells[i]; return c.dataset.key !== undefined ? c.dataset.key : c.textContent.trim(); }
  doc.querySelectorAll("table[data-sort]").forEach(function (table) {
    var body = table.tBodies[0], heads = table.tHead.rows[0].cells;
    if (body.rows.length < 2) return;
    Array.prototype.forEach.call(heads, function (th, i) {
      var b = doc.createElement("button");
      b.type = "button";
      b.append.apply(b, th.childNodes);
      th.append(b);
      th.setAttribute("aria-sort", "none");
      b.addEventListener("click", function () {
        var up = th.getAttribute("aria-sort") !== "ascending";
        Array.prototype.forEach.call(heads, function (h) { h.setAttribute("aria-sort", "none"); });
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        var rows = Array.prototype.map.call(body.rows, function (r) { return [key(r, i), r]; });
        rows.sort(function (x, y) { return (up ? 1 : -1) * collator.compare(x[0], y[0]); });
        body.append.apply(body, rows.map(function (r) { return r[1]; }));
      });
    });
  });

  // Filters: one field above each longer table.
  doc.querySelectorAll("table[data-filter]").forEach(function (table, n) {
    var rows = Array.prototype.slice.call(table.tBodies[0].rows);
    if (rows.length < 8) return;
    var p = doc.createElement("p"), input = doc.createElement("input"), count = doc.createElement("span"), name = "filter" + (n || "");
    p.className = "filter";
    input.type = "search";
    input.placeholder = "Filter this table";
    input.setAttribute("aria-label", "Filter this table");
    count.setAttribute("role", "status");
    p.append(input, count);
    var wrap = table.closest(".table") || table;
    wrap.parentNode.insertBefore(p, wrap);
    var texts = null; // of the rows, read when they are asked for first
    function apply() {
      texts = texts || rows.map(function (r) { return r.textContent.toLowerCase(); });
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
      rows.forEach(function (r, i) {
        var ok = words.every(function (w) { return texts[i].indexOf(w) >= 0; });
        r.hidden = !ok;
        if (ok) shown++;
      });
      count.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
      var q = new URLSearchParams(location.search);
      if (input.value) q.set(name, input.value); else q.delete(name);
      try { history.replaceState(null, "", location.pathname + (String(q) ? "?" + q : "") + location.hash); } catch (e) { /* from a disk some browsers refuse */ }
    }
    input.addEventListener("input", apply);
    input.value = new URLSearchParams(location.search).get(name) || "";
    if (input.value) apply();
  });
})();
