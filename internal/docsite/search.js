// Finds sections that have all the words. Without this script everything else
// works. No network, nothing is stored.
(function () {
  "use strict";
  var doc = document, root = doc.body.dataset.root || "";
  var box = doc.getElementById("search"), list = doc.getElementById("results"), count = doc.getElementById("count"), index = null;
  doc.getElementById("find").hidden = false;

  function load() {
    if (doc.getElementById("docs-index")) return;
    var s = doc.createElement("script");
    s.id = "docs-index";
    s.src = root + "index.js";
    s.onload = function () {
      index = (window.KATPREP_DOCS || []).map(function (l) { return { low: l.toLowerCase(), f: l.split("\t") }; });
      find();
    };
    doc.head.appendChild(s);
  }
  function score(e, words) { // titles before headings before text
    return words.reduce(function (sum, w) {
      return sum + (e.f[0].toLowerCase().indexOf(w) >= 0 ? 0 : e.f[1].toLowerCase().indexOf(w) >= 0 ? 1 : 3);
    }, 0);
  }
  function text(tag, s) { var n = doc.createElement(tag); n.textContent = s; return n; }
  function excerpt(e, word) {
    var t = e.f[3], at = Math.max(0, t.toLowerCase().indexOf(word) - 40);
    return (at ? "…" : "") + t.slice(at, at + 140) + (at + 140 < t.length ? "…" : "");
  }
  function find() {
    var words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.textContent = "";
    list.hidden = !words.length || !index;
    if (list.hidden) { count.textContent = ""; return; }
    var hits = index.filter(function (e) { return words.every(function (w) { return e.low.indexOf(w) >= 0; }); });
    hits = hits.map(function (e, n) { return [score(e, words), n, e]; }).sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; }).slice(0, 30);
    hits.forEach(function (h) {
      var e = h[2], li = doc.createElement("li"), a = doc.createElement("a");
      a.href = root + e.f[2];
      a.append(text("b", e.f[0] === e.f[1] ? e.f[0] : e.f[0] + ": " + e.f[1]), text("small", excerpt(e, words[0])));
      li.append(a);
      list.append(li);
    });
    if (!hits.length) list.append(text("li", "Nothing found"));
    count.textContent = hits.length + " found";
  }
  function links() { return Array.prototype.slice.call(list.querySelectorAll("a")); }
  box.addEventListener("focus", load);
  box.addEventListener("input", function () { load(); find(); });
  doc.addEventListener("keydown", function (e) {
    var all = links(), at = all.indexOf(doc.activeElement);
    if (e.key === "/" && !/^(INPUT|TEXTAREA)$/.test(doc.activeElement.tagName)) { box.focus(); e.preventDefault(); }
    else if (e.key === "Escape" && !list.hidden) { list.hidden = true; box.focus(); }
    else if ((doc.activeElement === box || at >= 0) && all.length && !list.hidden) {
      if (e.key === "ArrowDown") { all[Math.min(at + 1, all.length - 1)].focus(); e.preventDefault(); }
      else if (e.key === "ArrowUp") { (at > 0 ? all[at - 1] : box).focus(); e.preventDefault(); }
      else if (e.key === "Enter" && at < 0) { all[0].click(); e.preventDefault(); }
    }
  });
  doc.addEventListener("click", function (e) { if (!doc.getElementById("find").contains(e.target)) list.hidden = true; });
})();
