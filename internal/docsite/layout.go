package docsite

import "html/template"

var layout = template.Must(template.New("layout").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'">
<title>{{.Title}} · {{.Site}}</title>
<link rel="stylesheet" href="{{.Root}}style.css">
<script src="{{.Root}}search.js" defer></script>
</head>
<body class="docs" data-root="{{.Root}}">
<a class="skip" href="#content">Skip to content</a>
<header>
<a class="home" href="{{.Root}}index.html">{{.Site}}</a>
<a class="menu" href="#pages">All pages</a>
<search id="find" hidden>
<label class="vh" for="search">Search the documentation</label>
<input id="search" type="search" placeholder="Search ( / )" autocomplete="off" spellcheck="false" aria-describedby="count">
<p id="count" class="vh" role="status"></p>
<ol id="results" hidden></ol>
</search>
</header>
<nav id="pages" aria-label="Pages">
{{- $sections := .Sections}}
{{range .Groups}}<h2>{{.Name}}</h2>
<ul>
{{range .Items}}<li><a href="{{.Href}}"{{if .Here}} aria-current="page"{{end}}>{{.Title}}</a>{{if and .Here $sections}}
<ul>
{{range $sections}}<li><a href="#{{.ID}}">{{.Title}}</a></li>
{{end}}</ul>
{{end}}</li>
{{end}}</ul>
{{end}}</nav>
<main id="content">
{{.Body}}</main>
</body>
</html>
`))

const layoutStyle = `
body.docs { display: grid; grid-template-columns: minmax(12rem, 17rem) minmax(0, 52rem); gap: 0 2.5rem; max-width: 80rem; margin: 0 auto; padding: 0 1.5rem; }
body.docs header { grid-column: 1 / -1; display: flex; gap: 1rem; align-items: baseline; padding: .8rem 0; border-bottom: 1px solid var(--line); }
body.docs header .home { font-weight: 650; text-decoration: none; color: inherit; }
body.docs header .menu { display: none; }
body.docs search { position: relative; margin-inline-start: auto; flex: 0 1 16rem; min-width: 0; }
body.docs search input { font: inherit; font-size: .9rem; width: 100%; padding: .25rem .6rem; border: 1px solid var(--soft); border-radius: 4px; background: var(--card); color: inherit; }
#results { position: absolute; right: 0; z-index: 2; width: min(32rem, 92vw); max-height: 70vh; overflow-y: auto; margin: .3rem 0; padding: .3rem; list-style: none; background: var(--card); border: 1px solid var(--line); border-radius: 4px; box-shadow: 0 .3rem 1rem rgb(0 0 0 / .18); }
#results a { display: block; padding: .35rem .5rem; text-decoration: none; color: inherit; }
#results a:hover, #results a:focus { background: var(--zebra); }
#results b { display: block; color: var(--link); }
#results small { display: block; overflow-wrap: anywhere; }
body.docs nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; font-size: .9rem; padding-block: 1rem 2rem; }
body.docs nav h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .05em; margin: 1.2rem 0 .3rem; border: 0; }
body.docs nav ul { list-style: none; margin: 0; padding: 0; }
body.docs nav ul ul { padding-inline-start: .8rem; border-inline-start: 2px solid var(--line); font-size: .85rem; }
body.docs nav a { display: block; padding: .15rem 0; text-decoration: none; }
body.docs nav a:hover { text-decoration: underline; }
body.docs nav a[aria-current] { font-weight: 700; color: inherit; }
body.docs main { margin: 0; padding-inline: 0; min-width: 0; width: 100%; max-width: none; overflow-wrap: anywhere; }
body.docs .table { overflow-wrap: normal; }
body.docs main li { max-width: 70ch; }
body.docs code { overflow-wrap: anywhere; }
body.docs pre code { overflow-wrap: normal; font-size: inherit; }
body.docs .table code { overflow-wrap: normal; }
.vh { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .3rem .6rem; z-index: 3; }
@media (max-width: 50rem) {
  body.docs { grid-template-columns: minmax(0, 1fr); padding: 0 1rem; }
  body.docs header .menu { display: inline; white-space: nowrap; }
  body.docs nav { order: 1; position: static; max-height: none; border-top: 1px solid var(--line); }
  body.docs nav a { padding: .35rem 0; }
}
@media print { body.docs { display: block; } body.docs nav, body.docs header, .skip { display: none; } }
`
