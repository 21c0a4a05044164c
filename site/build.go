package site

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A builder builds one site.
type builder struct {
	src   Source
	o     Options
	t     *tree
	m     *model
	views *views
	gov   *governance
	// exceptions are those of the newest snapshot's archive.
	exceptions []katprep.Exception
	older      []Older // bundles of older history
	chain      *chain
	since      map[*katprep.Exception]time.Time // when each of exceptions was recorded
	failures   map[katprep.HostID][]hostFailure // of all runs
	bufs       sync.Pool
	work       *errgroup.Group // pages that are being written
	mu         sync.Mutex      // of stats, Progress and the files of groups
	group      *group          // that pages are being made for
	made       map[string]*group
	known      map[string]*group // of the earlier build
	stats      Stats
	sums       shortSums
	keyBuf     []byte
	ruleText   string // see rules
}

func newBuilder(src Source, o Options, t *tree) *builder {
	b := &builder{src: src, o: o, t: t, m: newModel(), gov: newGovernance(), made: map[string]*group{}}
	b.bufs.New = func() any { return new(bytes.Buffer) }
	b.begin()
	return b
}

// begin takes up to two pages for each processor into work at a time.
func (b *builder) begin() {
	b.work = new(errgroup.Group)
	b.work.SetLimit(2 * runtime.GOMAXPROCS(0))
}

// flush waits for the pages in work.
func (b *builder) flush() error {
	err := b.work.Wait()
	b.begin()
	return err
}

func (b *builder) build(ctx context.Context) error {
	defer func() { _ = b.work.Wait() }() // an earlier error is being returned
	var err error
	if b.views, err = newViews(); err != nil {
		return err
	}
	b.loadGroups()
	if err := b.m.load(ctx, b.src, &b.o); err != nil {
		return err
	}
	if b.older, err = olderOf(ctx, b.src); err != nil {
		return err
	}
	if b.exceptions, err = b.src.Exceptions(ctx); err != nil {
		return err
	}
	if err := b.loadChain(ctx); err != nil {
		return err
	}
	b.since = make(map[*katprep.Exception]time.Time, len(b.exceptions))
	for i := range b.exceptions {
		b.since[&b.exceptions[i]] = b.recordedOf(&b.exceptions[i])
	}
	for i, p := range b.m.pairs {
		if err := b.pair(ctx, i, p); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{b.hostPages, b.erratumPages, b.cvePages, b.packagePages, b.governancePages, b.listPages, b.trendPage, b.recordPages, b.tables, b.moreTables, b.feed, b.search, b.assets, b.saveVersion, b.saveGroups} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
	return nil
}

// page writes an HTML page of the named view, now or soon.
func (b *builder) page(path, view string, data any) error {
	return b.later(path, func(buf *bytes.Buffer) error { return b.views.execute(buf, view, data) })
}

// later makes a page while the next one is being prepared. Its error is
// returned by flush.
func (b *builder) later(path string, fill func(*bytes.Buffer) error) error {
	g := b.group
	b.work.Go(func() error {
		buf := b.bufs.Get().(*bytes.Buffer)
		defer b.bufs.Put(buf)
		buf.Reset()
		if err := fill(buf); err != nil {
			return err
		}
		return b.write(g, path, buf.Bytes())
	})
	return nil
}

// file writes a file that is made piece by piece.
func (b *builder) file(path string, fill func(io.Writer) error) error {
	var buf bytes.Buffer
	if err := fill(&buf); err != nil {
		return err
	}
	return b.write(b.group, path, buf.Bytes())
}

func (b *builder) write(g *group, path string, data []byte) error {
	same, err := b.t.write(path, data)
	if err == nil {
		b.count(path, len(data), same)
		g.add(&b.mu, kept{path, len(data)})
	}
	return err
}

// A kept file is one of the earlier site, with the size that it must have.
type kept struct {
	path string
	size int
}

// keepAll takes files of the earlier site as they are, all of them or none.
func (b *builder) keepAll(files []kept) error {
	for i, f := range files {
		if err := b.t.keep(f.path, f.size); err != nil {
			return errors.Join(err, b.t.drop(files[:i]))
		}
	}
	for _, f := range files {
		b.count(f.path, f.size, true)
	}
	return nil
}

// keepFolder takes a folder of the earlier site, of which these are all files.
func (b *builder) keepFolder(dir string, files []kept) error {
	if len(files) == 0 || !b.t.adopt(dir, files) {
		return b.keepAll(files)
	}
	for _, f := range files {
		b.count(f.path, f.size, true)
	}
	return nil
}

func (b *builder) count(path string, n int, kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Files++
	b.stats.Bytes += int64(n)
	if kept {
		b.stats.Kept++
	}
	if strings.HasSuffix(path, ".html") {
		b.stats.Pages++
		if b.o.Progress != nil {
			b.o.Progress(b.stats.Pages, path)
		}
	}
}

// base is what every page shows. The newest snapshot is named on pages that
// change with it anyway.
func (b *builder) base(path, section, title string, head bool) base {
	h := base{views: b.views, Root: strings.Repeat("../", strings.Count(path, "/")), Section: section, Title: render.Line(title), Site: render.Line(b.o.Title), Version: b.o.Version}
	if head && len(b.m.snapshots) > 0 {
		h.Head = b.m.head()
	}
	return h
}

// A base is embedded in the data of every page.
type base struct {
	views   *views
	Root    string // path to the site's root
	Section string // in the navigation
	Title   string
	Site    string
	Version string
	Head    *katprep.SnapshotRef // the newest snapshot; nil if there is none, or on pages of the past
}

// A link is a text that leads somewhere.
type link struct{ Text, Href string }

// A pager links the pages of a long table.
type pager struct {
	Page, Pages, From, To, Total int
	Links                        []link // Href "" is the page itself
}

// near reports whether page i of count links page j: its neighbours, the
// first, the last, and every tenth of very many.
func near(i, j, count int) bool {
	return count <= 20 || j == 0 || j == count-1 || max(i-j, j-i) <= 4 || (j+1)%10 == 0 && (count <= 200 || max(i-j, j-i) <= 50 || (j+1)%100 == 0)
}

// paged cuts n rows into pages and calls each with its name, its rows and its
// pager. There is always a first page.
func (b *builder) paged(first string, n int, each func(name string, from, to int, p pager) error) error {
	stem := strings.TrimSuffix(first, ".html")
	name := func(i int) string {
		if i == 0 {
			return first
		}
		return stem + "~" + itoa(i+1) + ".html" // no name of ours has a "~"
	}
	count := max(1, (n+b.o.Rows-1)/b.o.Rows)
	for i := range count {
		from, to := i*b.o.Rows, min(n, (i+1)*b.o.Rows)
		p := pager{Page: i + 1, Pages: count, From: from + 1, To: to, Total: n}
		for j := range count {
			if !near(i, j, count) {
				continue
			}
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
