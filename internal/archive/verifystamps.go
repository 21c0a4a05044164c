package archive

import (
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/rfc3161"
)

// StampSummary says what the time stamps of an archive prove. A stamp of a
// commit is one of all before it.
type StampSummary struct {
	Head      katprep.CommitID `json:"head"`               // commit that holds the stamps
	Count     int              `json:"count"`              // good ones
	Trusted   bool             `json:"trusted"`            // each leads to a certificate that was given
	First     time.Time        `json:"first,omitzero"`     // times of the services, UTC
	Last      time.Time        `json:"last,omitzero"`      //
	Unstamped int              `json:"unstamped"`          // commits that are newer than the last stamped one
	Delay     int64            `json:"delay_seconds"`      // the longest time from a commit's date to the first stamp of it or a later one
	Latest    katprep.CommitID `json:"latest,omitempty"`   // the commit that took longest
	Services  []string         `json:"services,omitempty"` // subjects of the services' certificates, untrusted text
}

// stamps verifies the time stamps. Without certificates of the service it is
// known that a stamp is of its commit, not who made it.
func (v *verifier) stamps() error {
	head, err := v.a.refs.Read(stampsRef)
	if err != nil {
		return err
	}
	if err := v.stampsKept(head); err != nil || head.IsZero() {
		return err
	}
	files, err := v.a.stamps(v.ctx)
	if err != nil {
		v.find(object.Hash{}, stampsRef, "the time stamps cannot be read: %v", err)
		return nil
	}
	s := &StampSummary{Head: katprep.CommitID(head.String()), Trusted: v.o.StampRoots != nil}
	v.out.Stamps = s
	good := map[object.Hash]time.Time{}
	seen := map[string]bool{}
	for _, h := range sortedHashes(files) {
		c := v.commit[h]
		if c == nil {
			continue // of a commit that is older than Since or the cut, or of none of ours
		}
		stamp, ok := v.stamp(h, files[h])
		if !ok {
			continue
		}
		good[h] = stamp.Time
		if !seen[stamp.Service] {
			seen[stamp.Service] = true
			s.Services = append(s.Services, stamp.Service)
		}
		if c.Committer.When.After(stamp.Time.Add(tolerance)) {
			v.warn(h, "", "it is dated %s, but was stamped at %s already: a clock was wrong",
				c.Committer.When.Format(time.RFC3339), stamp.Time.Format(time.RFC3339))
		}
	}
	s.sum(v, good)
	if s.Count > 0 && !s.Trusted {
		v.warn(object.Hash{}, stampsRef, "nobody knows who made the time stamps: give the certificates of the service")
	}
	return nil
}

// stampsKept verifies that no stamps were taken away since the last time.
func (v *verifier) stampsKept(head object.Hash) error {
	was, ok := object.ParseHash(string(v.o.Stamps))
	if !ok || was == head {
		return nil
	}
	if !head.IsZero() {
		switch kept, err := v.a.ancestor(v.ctx, was, head); {
		case err != nil:
			v.find(object.Hash{}, stampsRef, "the time stamps cannot be read: %v", err)
			return nil
		case kept:
			return nil
		}
	}
	v.find(object.Hash{}, stampsRef, "time stamps were removed since they were verified")
	return nil
}

func (v *verifier) stamp(h, blob object.Hash) (rfc3161.Stamp, bool) {
	der, err := v.a.read(v.ctx, blob, object.BlobKind)
	if err != nil {
		v.find(h, stampsRef, "its time stamp cannot be read: %v", err)
		return rfc3161.Stamp{}, false
	}
	digest, err := v.a.digest(v.ctx, h)
	if err != nil {
		return rfc3161.Stamp{}, false // collect has read it
	}
	s, err := rfc3161.Check(der, digest, v.o.StampRoots)
	if err != nil {
		v.find(h, stampsRef, "%v", err)
		return s, false
	}
	return s, true
}

// sum works out what the good stamps prove of each commit, children first.
func (s *StampSummary) sum(v *verifier, good map[object.Hash]time.Time) {
	s.Count = len(good)
	for _, at := range good {
		if s.First.IsZero() || at.Before(s.First) {
			s.First = at
		}
		if at.After(s.Last) {
			s.Last = at
		}
	}
	covered := map[object.Hash]time.Time{}
	for i := len(v.order) - 1; i >= 0; i-- {
		h := v.order[i]
		at, ok := covered[h]
		if own, is := good[h]; is && (!ok || own.Before(at)) {
			at, ok = own, true
		}
		if !ok {
			s.Unstamped++
			continue
		}
		if d := int64(at.Sub(v.commit[h].Committer.When) / time.Second); d > s.Delay {
			s.Delay, s.Latest = d, katprep.CommitID(h.String())
		}
		for _, p := range v.commit[h].Parents {
			if have, ok := covered[p]; !ok || at.Before(have) {
				covered[p] = at
			}
		}
	}
}
