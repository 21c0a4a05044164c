package site

import (
	"context"
	"html/template"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A chart is a picture of a table that stands below it. Patterns and labels
// tell its parts apart, not colours alone.
type chart struct {
	ID, Title, Desc string
	SVG             template.HTML
	Legend          []legendEntry
	Head            []string
	Rows            [][]string
}

type trendsPage struct {
	base
	Charts []chart
}

const (
	chartW, chartH           = 720, 240
	chartL, chartB, chartTop = 44, 30, 12
)

// trendPage draws what the snapshots and judgements show over time.
func (b *builder) trendPage(context.Context) error {
	d := trendsPage{base: b.base("trends.html", "compliance", "Trends", true)}
	if len(b.m.snapshots) > 0 {
		d.Charts = []chart{b.pendingChart(), b.latencyChart(), b.coverageChart()}
	}
	return b.page("trends.html", "trends", d)
}

// last returns up to n of the newest snapshots, oldest first.
func (b *builder) last(n int) []katprep.SnapshotRef {
	return b.m.snapshots[max(0, len(b.m.snapshots)-n):]
}

// pendingChart stacks installable security errata by severity.
func (b *builder) pendingChart() chart {
	c := chart{ID: "pending", Title: "Security errata that could be installed, by severity", Desc: "Pairs of host and erratum in each of the last snapshots. Hosts that could not be read are not in it.", Head: []string{"Snapshot"}}
	for _, s := range katprep.Severities {
		c.Head = append(c.Head, render.SeverityWord(s).Text)
	}
	var bars []bar
	day := dayOf(b.last(60))
	for _, s := range b.last(60) {
		row := []string{render.Time(s.Snapshot.Finished)}
		bb := bar{label: day(s.Snapshot.Finished)}
		for _, sev := range katprep.Severities {
			n := s.Snapshot.Counts.Pending[sev]
			row = append(row, itoa(n))
			bb.parts = append(bb.parts, n)
		}
		bars, c.Rows = append(bars, bb), append(c.Rows, row)
	}
	c.draw(bars, []string{"s4", "s3", "s2", "s1", "s0"}, c.Head[1:])
	return c
}

// latencyLimits are the upper ends of the classes, in days.
var latencyLimits = []int{1, 3, 7, 14, 30, 60, 90}

func (b *builder) latencyChart() chart {
	c := chart{ID: "latency", Title: "Days from issue to proof of installation", Desc: "Pairs of host and security erratum that were proven to be installed. What is still open is not in it: see the list of what is overdue.", Head: []string{"Days", "Installations"}}
	var bars []bar
	for i, n := range b.gov.all.Histogram(latencyLimits) {
		label := "> " + itoa(latencyLimits[len(latencyLimits)-1])
		if i < len(latencyLimits) {
			label = "≤ " + itoa(latencyLimits[i])
		}
		bars, c.Rows = append(bars, bar{label, []int{n}}), append(c.Rows, []string{label, itoa(n)})
	}
	c.draw(bars, []string{"s1"}, nil)
	return c
}

// coverageChart shows how much of the landscape each snapshot read.
func (b *builder) coverageChart() chart {
	c := chart{ID: "coverage", Title: "Hosts read in each snapshot", Desc: "Read in full, in part, and not at all.", Head: []string{"Snapshot", "in full", "in part", "not at all"}}
	var bars []bar
	day := dayOf(b.last(60))
	for _, s := range b.last(60) {
		n := s.Snapshot.Counts
		bars = append(bars, bar{day(s.Snapshot.Finished), []int{n.Failed, n.Incomplete, n.Collected}})
		c.Rows = append(c.Rows, []string{render.Time(s.Snapshot.Finished), itoa(n.Collected), itoa(n.Incomplete), itoa(n.Failed)})
	}
	c.draw(bars, []string{"s4", "s3", "ok"}, []string{"not at all", "in part", "in full"})
	return c
}

// dayOf writes days short: with the year, and without the day, if there are
// more than a year's.
func dayOf(list []katprep.SnapshotRef) func(time.Time) string {
	layout := "01-02"
	if n := len(list); n > 0 && list[n-1].Snapshot.Finished.Sub(list[0].Snapshot.Finished) > 330*24*time.Hour {
		layout = "2006-01"
	}
	return func(t time.Time) string { return t.UTC().Format(layout) }
}

// A bar is a stack of parts, the most important at the bottom.
type bar struct {
	label string
	parts []int
}

func (b bar) sum() (n int) {
	for _, p := range b.parts {
		n += p
	}
	return n
}

// A legendEntry says what a part of a bar is.
type legendEntry struct {
	Swatch template.HTML
	Text   string
}

// draw makes the picture, and its legend if bars have several parts.
func (c *chart) draw(bars []bar, classes, names []string) {
	c.SVG = drawBars(*c, bars, classes, 0)
	for i, name := range names {
		m := &markup{}
		m.lit(`<svg class="swatch" viewBox="0 0 18 14" width="18" height="14" aria-hidden="true">`).part(c.ID, classes[i], 0, 0, 18, 14).lit(`</svg>`)
		c.Legend = append(c.Legend, legendEntry{m.html(), name})
	}
}

// textures are what tells parts apart where colours do not: in print, and for
// who does not see them. Each is the path of a tile of eight by eight.
var textures = map[string]string{
	"s4": "M0 0L8 8M0 8L8 0", "s3": "M0 8L8 0", "s2": "M0 4H8", "s1": "M4 0V8", "s0": "M3 3h2v2H3z", "ok": "",
}

// part draws a rectangle of a class with its texture above it.
func (m *markup) part(id, class string, x, y, w, h int) *markup {
	rect := func(attr, val string) {
		m.lit(`<rect `).lit(attr).lit(`="`).lit(val).lit(`" x="`).int(x).lit(`" y="`).int(y).lit(`" width="`).int(w).lit(`" height="`).int(h).lit(`"/>`)
	}
	rect("class", class)
	if textures[class] != "" {
		rect("fill", "url(#"+id+"-"+class+")")
	}
	return m
}

// drawBars draws stacked bars. Classes colour the parts by style sheet, since
// the policy of the pages allows no styles in them.
func drawBars(c chart, bars []bar, classes []string, top int) template.HTML {
	for _, b := range bars {
		top = max(top, b.sum())
	}
	top = roundUp(top)
	m := &markup{}
	m.lit(`<svg class="chart" viewBox="0 0 `).int(chartW).lit(" ").int(chartH).lit(`" role="img" aria-labelledby="`).lit(c.ID).lit(`-t `).lit(c.ID).lit(`-d"><title id="`).lit(c.ID).lit(`-t">`).text(c.Title).lit(`</title><desc id="`).lit(c.ID).lit(`-d">`).text(c.Desc).lit(`</desc>`)
	m.lit(`<defs>`)
	for _, class := range classes {
		if tile := textures[class]; tile != "" {
			m.lit(`<pattern id="`).lit(c.ID).lit(`-`).lit(class).lit(`" width="8" height="8" patternUnits="userSpaceOnUse"><path class="tile" d="`).lit(tile).lit(`"/></pattern>`)
		}
	}
	m.lit(`</defs>`)
	height := chartH - chartB - chartTop
	for i := range 5 { // grid
		y := chartH - chartB - height*i/4
		m.lit(`<path class="grid" d="M`).int(chartL).lit(" ").int(y).lit(`H`).int(chartW).lit(`"/><text x="`).int(chartL - 8).lit(`" y="`).int(y + 4).lit(`" text-anchor="end">`).int(top * i / 4).lit(`</text>`)
	}
	n := max(1, len(bars))
	step := (chartW - chartL) * 100 / n // hundredths, so that bars do not drift
	width := max(2, min(46, step*7/1000))
	every := max(1, (n+11)/12)
	for i, b := range bars {
		x := chartL + (step*i+step/2)/100 - width/2
		y := chartH - chartB
		for j, p := range b.parts {
			h := (p*height + top/2) / top
			if p > 0 && h == 0 {
				h = 1 // what is there must be seen
			}
			y -= h
			if h > 0 {
				m.part(c.ID, classes[j], x, y, width, h)
			}
		}
		if i%every == 0 {
			m.lit(`<text x="`).int(x + width/2).lit(`" y="`).int(chartH - 10).lit(`" text-anchor="middle">`).text(b.label).lit(`</text>`)
		}
	}
	return m.lit("</svg>").html()
}

// roundUp returns a round number, divisible by four, that is not less than n.
func roundUp(n int) int {
	for unit := 4; ; unit *= 10 {
		for _, f := range []int{1, 2, 3, 5, 7} {
			if unit*f >= n {
				return unit * f
			}
		}
	}
}
