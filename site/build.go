package site

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A builder builds one site.
type builder struct {
	src   Source
	o     Options
	t     *tree
	m     *model
	stats Stats
	views *views
	index *bufio.Writer // of the search
}

func (b *builder) build(ctx context.Context) error {
	var err error
	if b.views, err = newViews(); err != nil {
		return err
	}
	if err := b.m.load(ctx, b.src); err != nil {
		return err
	}
	for i, p := range b.m.pairs {
		if err := b.pair(ctx, int32(i), p); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{b.hostPages, b.erratumPages, b.cvePages, b.exceptionPage, b.listPages, b.search, b.assets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// page writes an HTML page of the named view.
func (b *builder) page(path, view string, data any) error {
	b.stats.Pages++
	if b.o.Progress != nil {
		b.o.Progress(b.stats.Pages, path)
	}
	return b.file(path, func(w io.Writer) error { return b.views.execute(w, view, data) })
}

func (b *builder) file(path string, fill func(io.Writer) error) error {
	n, err := b.t.write(path, func(w io.Writer) error {
		buf := bufio.NewWriterSize(w, 64<<10)
		if err := fill(buf); err != nil {
			return err
		}
		return buf.Flush()
	})
	b.stats.Files++
	b.stats.Bytes += n
	return err
}

// base is what every page shows.
func (b *builder) base(path, section, title string) base {
	h := base{Root: strings.Repeat("../", strings.Count(path, "/")), Section: section, Title: render.Line(title), Site: render.Line(b.o.Title), Version: b.o.Version}
	if len(b.m.snapshots) > 0 {
		h.Head = b.m.head()
	}
	return h
}

// A base is embedded in the data of every page.
type base struct {
	Root    string // path to the site's root
	Section string // in the navigation
	Title   string
	Site    string
	Version string
	Head    *katprep.SnapshotRef // the newest snapshot; nil if there is none
}

// A link is a text that leads somewhere.
type link struct{ Text, Href string }

// A pager links the pages of a long table.
type pager struct {
	Page, Pages, From, To, Total int
	Links                        []link // Href "" is the page itself
}

// pages cuts n rows into pages and calls each with its name, its rows and its
// pager. There is always a first page.
func (b *builder) paged(first string, n int, each func(name string, from, to int, p pager) error) error {
	stem := strings.TrimSuffix(first, ".html")
	name := func(i int) string {
		if i == 0 {
			return first
		}
		return stem + "-" + itoa(i+1) + ".html"
	}
	count := max(1, (n+b.o.Rows-1)/b.o.Rows)
	for i := range count {
		from, to := i*b.o.Rows, min(n, (i+1)*b.o.Rows)
		p := pager{Page: i + 1, Pages: count, From: from + 1, To: to, Total: n}
		for j := range count {
			l := link{Text: itoa(j + 1), Href: name(j)[strings.LastIndexByte(first, '/')+1:]}
			if j == i {
				l.Href = ""
			}
			p.Links = append(p.Links, l)
		}
		if err := each(name(i), from, to, p); err != nil {
			return err
		}
	}
	return nil
}
