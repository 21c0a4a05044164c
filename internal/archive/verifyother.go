package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stdevel/katprep/internal/archive/object"
)

// otherHistory finds what makes Git show another history than the one that is
// verified: katprep reads the objects themselves, but "git log" is what people
// look at.
func (v *verifier) otherHistory() error {
	list, err := v.a.refs.List("refs/replace/")
	if err != nil {
		return err
	}
	for _, ref := range list {
		v.find(object.Hash{}, ref.Name, "Git shows object %s in place of this one: somebody replaced it; see git replace --list", ref.Hash)
	}
	const grafts = "info/grafts"
	_, err = os.Stat(filepath.Join(v.a.dir, filepath.FromSlash(grafts)))
	switch {
	case err == nil:
		v.find(object.Hash{}, grafts, "Git shows other parents of commits than they have: remove the file")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}
