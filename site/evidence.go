package site

import (
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// An evidenceRow is a commit of the chain, or a snapshot if the chain is not
// known.
type evidenceRow struct {
	Link
	No        int // in the chain, from the first commit
	Signature Signature
	What      string
	Href      string // page that is made of it; "" if there is none
	URL       string // at a forge
	Snapshot  *katprep.Snapshot
	Tag       string
	TagSig    Signature
}

// A signer is a key, and how many commits it signed.
type signer struct {
	By, Key     string
	N           int
	First, Last time.Time
}

type evidencePage struct {
	base
	Known                         bool
	Rows                          []evidenceRow
	Signers                       []signer
	Good, Bad, Missing, Unchecked int
	Verified                      *Verification
	After                         int // commits since the verification
	Pager                         pager
}

// evidence writes the list of commits, with who signed each.
func (b *builder) evidence() error {
	d := evidencePage{Known: b.chain.known, Verified: b.chain.verified}
	rows := b.evidenceRows()
	d.count(rows)
	if v := d.Verified; v != nil {
		if i, ok := b.chain.index[v.Tip]; ok {
			d.After = len(b.chain.links) - 1 - i
		}
	}
	return b.paged("evidence.html", len(rows), func(name string, from, to int, p pager) error {
		d.base, d.Rows, d.Pager = b.base(name, "evidence", "Evidence", true), rows[from:to], p
		return b.page(name, "evidence", d)
	})
}

func (b *builder) evidenceRows() []evidenceRow {
	links := b.chain.links
	if !b.chain.known { // the snapshots are all that is known
		for i := range b.m.snapshots {
			s := &b.m.snapshots[i]
			links = append(links, Link{Commit: s.Commit, At: s.Snapshot.Finished, Kind: "snapshot", Run: s.Snapshot.Run})
		}
	}
	pages, tags, snapshots := b.commitPages(), map[katprep.CommitID]provenance{}, map[katprep.CommitID]*katprep.Snapshot{}
	for _, p := range b.m.pairs {
		for s, v := range map[*katprep.SnapshotRef]provenance{p.Before: p.from, p.After: p.to} {
			if s != nil && v.Tag != "" {
				tags[s.Commit] = v
			}
		}
	}
	for i := range b.m.snapshots {
		snapshots[b.m.snapshots[i].Commit] = &b.m.snapshots[i].Snapshot
	}
	rows := make([]evidenceRow, 0, len(links))
	for i := range slices.Backward(links) {
		l := links[i]
		r := evidenceRow{Link: l, No: i + 1, Signature: b.chain.signature(l.Commit), Href: pages[l.Commit], Snapshot: snapshots[l.Commit], Tag: tags[l.Commit].Tag, TagSig: tags[l.Commit].TagSignature}
		r.What = l.Subject
		if r.What == "" {
			r.What = "snapshot"
		}
		if r.Href == "" && l.Run != "" && l.Kind != "snapshot" {
			r.Href = b.runPage(l.Run)
		}
		if l.HasPolicy {
			r.Href = "exceptions.html"
		}
		if b.o.CommitURL != "" {
			r.URL = b.o.CommitURL + string(l.Commit)
		}
		rows = append(rows, r)
	}
	return rows
}

// commitPages names the page of each snapshot; that of a maintenance goes
// before that of a comparison with the snapshot before.
func (b *builder) commitPages() map[katprep.CommitID]string {
	pages := map[katprep.CommitID]string{}
	for _, p := range b.m.pairs {
		if p.complete() && !p.asked && (pages[p.After.Commit] == "" || p.Run != "") {
			pages[p.After.Commit] = p.dir + "/index.html"
		}
	}
	return pages
}

func (b *builder) runPage(run katprep.RunID) string {
	for _, p := range b.m.pairs {
		if p.Run == run {
			return p.dir + "/index.html"
		}
	}
	return ""
}

// count sums signatures up.
func (d *evidencePage) count(rows []evidenceRow) {
	keys := map[string]*signer{}
	for i := range rows {
		r := &rows[i]
		switch r.Signature.State {
		case SignatureGood:
			d.Good++
			k := keys[r.Signature.Key]
			if k == nil { // the newest comes first
				k = &signer{By: orNobody(r.Signature.By), Key: render.Line(r.Signature.Key), Last: r.At}
				keys[r.Signature.Key] = k
			}
			k.N, k.First = k.N+1, r.At
		case SignatureBad:
			d.Bad++
		case SignatureMissing:
			d.Missing++
		default:
			d.Unchecked++
		}
	}
	for _, k := range sortedKeys(keys) {
		d.Signers = append(d.Signers, *keys[k])
	}
	slices.SortStableFunc(d.Signers, func(x, y signer) int { return strings.Compare(x.By, y.By) })
}
