package archive

import (
	"github.com/go-git/go-git/v5/config"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// stamps is the remote's reference of this archive's time stamps: each branch
// there has its own.
func (r Remote) stamps() string { return stampsPrefix + r.branch() }

func (c *connection) stampsThere() object.Hash { return c.refs[c.r.stamps()] }

// stampSpecs says how to push the time stamps; nothing if the remote has them.
// Stamps there are never overwritten.
func (c *connection) stampSpecs() ([]config.RefSpec, error) {
	here, err := c.a.refs.Read(stampsRef)
	there := c.stampsThere()
	if err != nil || here.IsZero() || here == there {
		return nil, err
	}
	if !there.IsZero() {
		// What is not known here is not in our history either.
		if _, err := c.a.commit(c.ctx, there); err != nil {
			return nil, c.otherStamps()
		}
		if ok, err := c.a.ancestor(c.ctx, there, here); err != nil || !ok {
			return nil, c.otherStamps()
		}
	}
	return []config.RefSpec{config.RefSpec(stampsRef + ":" + c.r.stamps())}, nil
}

func (c *connection) otherStamps() error {
	return katprep.Errorf(katprep.Conflict, "the remote holds time stamps that this archive does not; those of here were not pushed").
		WithHint("katprep archive pull %s", c.r.Name)
}

// takeStamps brings the remote's time stamps, which were fetched. Stamps of
// here and there are joined: each is good for itself.
func (c *connection) takeStamps() error {
	there := c.stampsThere()
	here, err := c.a.refs.Read(stampsRef)
	if err != nil || there.IsZero() || there == here {
		return err
	}
	if here.IsZero() {
		return c.a.refs.Apply(c.ctx, refs.Update{Name: stampsRef, New: there}, refWait)
	}
	if ok, err := c.a.ancestor(c.ctx, there, here); err != nil || ok {
		return err
	}
	if ok, err := c.a.ancestor(c.ctx, here, there); err != nil {
		return err
	} else if ok {
		return c.a.refs.Apply(c.ctx, refs.Update{Name: stampsRef, Old: here, New: there}, refWait)
	}
	tree, err := c.a.tree(c.ctx, there)
	if err != nil {
		return err
	}
	files := map[object.Hash]object.Hash{}
	if err := c.a.notes(c.ctx, tree, "", files); err != nil {
		return err
	}
	got := map[object.Hash][]byte{}
	for h, blob := range files {
		if got[h], err = c.a.read(c.ctx, blob, object.BlobKind); err != nil {
			return err
		}
	}
	return c.a.addStampsLocked(c.ctx, got, there)
}
