package site

import (
	"html/template"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// changeErrata writes the errata of a host in a pair, with what proves them.
func changeErrata(root string, list []katprep.ErratumChange) template.HTML {
	m := markupOf(root, len(list), 720)
	for i := range list {
		e := &list[i]
		m.lit("<tr>").erratum(e.ID, e.Title)
		if len(e.CVEs) > 0 {
			m.lit(`<span class="sub">`).cves(e.CVEs).lit(`</span>`)
		}
		m.lit(`</th><td>`).word(render.EndingWord(e.Ending)).lit(`</td>`).severity(e.Severity, e.Type)
		m.lit(`<td class="t">`).or(string(e.Issued)).lit(`</td><td>`)
		for _, p := range e.Proof {
			m.lit(`<span class="sub"><span class="id">`).text(p.Package.String()).lit(`</span> `).change(one(p.Before), one(p.After))
			m.lit(` <span class="soft">(fixed in <span class="ver">`).text(string(p.Fixed)).lit(`</span>)</span></span>`)
		}
		m.text(e.Reason).lit("</td></tr>\n")
	}
	return m.html()
}

// changePackages writes package changes; those that no plan asked for stand
// apart.
func changePackages(root string, list []katprep.PackageChange) template.HTML {
	m := markupOf(root, len(list), 400)
	for i := range list {
		p := &list[i]
		m.lit(`<tr><th scope="row"><span class="id">`).text(p.PackageKey.String()).lit(`</span></th><td>`).word(render.KindWord(p.Kind)).lit(`</td><td>`).change(p.Before, p.After).lit(`</td><td>`)
		for j, id := range p.Errata {
			if j > 0 {
				m.lit(" ")
			}
			m.link("errata/"+idSlug(id)+".html", "id", id)
		}
		m.lit("</td></tr>\n")
	}
	return m.html()
}

// pairRows writes the hosts of a pair.
func pairRows(root string, rows []row) template.HTML {
	m := markupOf(root, len(rows), 400)
	for i := range rows {
		r := &rows[i]
		m.lit(`<tr><th scope="row">`).link(r.href, "", r.summary.Host.Name).lit(`</th><td>`).word(r.word()).lit(`</td><td>`).errata(r.counts(), r.is(flagNoErrata)).lit(`</td>`).known(r.Packages, r.packagesKnown())
		m.lit(`<td>`).word(render.RebootWord(r.Rebooted))
		if r.Need == katprep.Needed {
			m.lit(" ").word(render.NeedWord(r.Need))
		}
		m.lit("</td></tr>\n")
	}
	return m.html()
}

// gapRows writes the hosts of a pair that could not be read.
func gapRows(root string, rows []row) template.HTML {
	m := markupOf(root, len(rows), 400)
	for i := range rows {
		r := &rows[i]
		m.lit(`<tr class="gap"><th scope="row">`).link(r.href, "", r.summary.Host.Name).lit(`</th><td>`).or(string(r.Before)).lit(`</td><td>`).or(string(r.After)).lit(`</td><td>`).errata(r.counts(), r.is(flagNoErrata)).lit(`</td><td>`)
		m.list(r.Problems).lit("</td></tr>\n")
	}
	return m.html()
}

func (m *markup) list(items []string) *markup {
	if len(items) == 0 {
		return m.lit("–")
	}
	m.lit("<ul>")
	for _, s := range items {
		m.lit("<li>").text(s).lit("</li>")
	}
	return m.lit("</ul>")
}

// advisoryRows writes the errata of a pair.
func advisoryRows(root string, rows []*advisory) template.HTML {
	m := markupOf(root, len(rows), 400)
	for _, a := range rows {
		var n [len(katprep.Endings)]int32
		for i, c := range a.n {
			n[i] = int32(c)
		}
		m.lit("<tr>").erratum(a.ID, a.Title).lit("</th>").severity(a.Severity, a.Type).lit(`<td class="t">`).or(string(a.Issued)).lit(`</td><td>`).counts(n).lit("</td></tr>\n")
	}
	return m.html()
}

// eventRows writes a host's timeline, the newest first.
func eventRows(root string, rows []eventRow) template.HTML {
	m := markupOf(root, len(rows), 520)
	for i := range rows {
		e := &rows[i]
		m.lit("<tr")
		if e.Word.Class == "bad" {
			m.lit(` class="gap"`)
		}
		m.lit(`><th scope="row" class="t">`).lit(render.Time(e.Pair.After.Snapshot.Finished)).lit(`</th><td>`).link(e.Pair.dir+"/index.html", "", e.Pair.title()).lit(`</td><td>`)
		if e.Href != "" {
			m.lit(`<a href="`).text(m.root + e.Href).lit(`">`).word(e.Word).lit(`</a>`)
		} else {
			m.word(e.Word)
		}
		m.lit(`</td><td>`).errata(e.n, e.Unknown).lit(`</td>`).known(e.Packages, e.PackagesKnown).lit(`<td>`).word(render.RebootWord(e.Rebooted))
		if e.Kernel {
			m.lit(` <span class="soft">other kernel</span>`)
		}
		m.lit("</td></tr>\n")
	}
	return m.html()
}

// hostRows writes the list of hosts.
func hostRows(root string, rows []*host) template.HTML {
	m := markupOf(root, len(rows), 400)
	for _, h := range rows {
		m.lit("<tr")
		if h.latest && h.status != katprep.Collected {
			m.lit(` class="gap"`)
		}
		m.lit(`><th scope="row">`).link(h.path(), "", h.Name).lit(`</th><td>`)
		switch {
		case !h.latest:
			m.word(render.Word{Shape: "−", Text: "not there", Class: "wait"}).lit(`</td><td class="num">–</td><td class="num">–</td>`)
		case h.status != katprep.Collected:
			m.word(render.Word{Shape: "?", Text: string(h.status), Class: "bad"}).lit(`</td>`).known(int(h.open), h.errataKnown).known(int(h.updates), h.updatesKnown)
		default:
			m.word(render.Word{Shape: "✓", Text: "read", Class: "good"})
			if !h.packagesKnown {
				m.lit(` <span class="bad">installed packages not known</span>`)
			}
			m.lit(`</td>`).known(int(h.open), h.errataKnown).known(int(h.updates), h.updatesKnown)
		}
		m.lit(`<td>`)
		if h.latest {
			m.word(render.NeedWord(h.need))
		}
		m.lit(`</td><td class="num">`).int(len(h.events)).lit(`</td><td>`).text(h.group).lit(`</td><td>`).text(h.Source).lit("</td></tr>\n")
	}
	return m.html()
}

// erratumHosts writes the hosts of an erratum.
func erratumHosts(root string, rows []erratumRow) template.HTML {
	m := markupOf(root, len(rows), 480)
	for i := range rows {
		r := &rows[i]
		m.lit(`<tr><th scope="row">`).link(r.Host.path(), "", r.Host.Name).lit(`</th><td>`).word(r.Word).lit(`</td><td class="t" data-label="Known">`).lit(r.Known).lit(`</td><td data-label="Proven by">`)
		if r.Pair != nil {
			m.lit(`<span class="t">`).lit(render.Time(r.Pair.After.Snapshot.Finished)).lit(`</span> `).link(r.Pair.hostPath(r.Host), "", r.Pair.title())
		} else {
			m.lit(`<span class="soft">in the newest snapshot</span>`)
		}
		m.lit("</td>")
		m.deadline(r.Deadline).lit("</tr>\n")
	}
	return m.html()
}

// erratumRows writes lists of errata.
func erratumList(root string, rows []cveErratum) template.HTML {
	m := markupOf(root, len(rows), 450)
	for i := range rows {
		r := &rows[i]
		m.lit("<tr>").erratum(r.ID, r.Title).lit("</th>").severity(r.Severity, r.Type).lit(`<td class="t">`).or(string(r.Issued)).lit("</td>").number(r.Open).number(r.Overdue).ended(r.erratumSum).number(r.Unknown).lit("</tr>\n")
	}
	return m.html()
}

// ended writes how errata ended on hosts, with their number to sort by.
func (m *markup) ended(s erratumSum) *markup {
	var n [len(katprep.Endings)]int32
	for i, c := range s.Ended {
		n[i] = int32(c)
	}
	return m.lit(`<td data-key="`).int(s.Closed).lit(`">`).counts(n).lit(`</td>`)
}

// openRows writes the open errata of a host.
func openRows(root string, rows []openErratum) template.HTML {
	m := markupOf(root, len(rows), 560)
	for i := range rows {
		o := &rows[i]
		m.lit("<tr>").erratum(o.ID, o.Title)
		if !o.Installable {
			m.lit(`<span class="sub">applicable, but not installable from the host's content</span>`)
		}
		m.lit("</th>").severity(o.Severity, o.Type).lit(`<td class="t">`).or(string(o.Issued)).lit(`</td><td class="num" data-key="`).int(o.Age).lit(`">`).lit(days(o.Age)).lit("</td>")
		m.deadline(o.Deadline).lit("<td>").cves(o.CVEs).lit("</td></tr>\n")
	}
	return m.html()
}

// deadline writes the cell that says whether something was or is in time.
func (m *markup) deadline(d verdict) *markup {
	m.lit(`<td>`).word(d.word())
	if d.due != "" {
		m.lit(` <span class="soft t">`).lit(d.due).lit(`</span>`)
	}
	if d.exception != "" {
		m.lit(` <a class="soft nb" href="`).text(m.root).lit(`exceptions.html">exception `).text(d.exception).lit(`</a>`)
		if r := d.remark(); r != "" {
			m.lit(` <span class="bad">`).lit(r).lit(`</span>`)
		}
	}
	return m.lit(`</td>`)
}

// packageLines writes packages one a line.
func packageLines(list []katprep.Package) template.HTML {
	m := markupOf("", len(list), 64)
	for i := range list {
		m.text(list[i].NEVRA()).lit("\n")
	}
	return m.html()
}
