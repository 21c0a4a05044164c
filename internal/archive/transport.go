package archive

import (
	"errors"
	"net/url"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/stdevel/katprep"
)

// A guarded storage lets go-git read and add objects, but keeps the
// references it works with in memory: its own way to write them is not safe.
type guarded struct {
	*filesystem.Storage
	mem memory.ReferenceStorage
}

func newStorer(a *Archive) (*guarded, error) {
	s := filesystem.NewStorage(osfs.New(a.dir), cache.NewObjectLRU(16*cache.MiByte))
	g := &guarded{Storage: s, mem: memory.ReferenceStorage{}}
	for _, prefix := range []string{branch, "refs/tags/", stampsPrefix} {
		list, err := a.refs.List(prefix)
		if err != nil {
			return nil, err
		}
		for _, ref := range list {
			name := plumbing.ReferenceName(ref.Name)
			g.mem[name] = plumbing.NewHashReference(name, plumbing.Hash(ref.Hash))
		}
	}
	return g, nil
}

// Config keeps go-git from looking for deltas of its own, which takes all
// memory; the packs have theirs.
func (g *guarded) Config() (*config.Config, error) {
	c, err := g.Storage.Config()
	if err != nil {
		return nil, err
	}
	c.Pack.Window = 0
	return c, nil
}

func (g *guarded) SetConfig(*config.Config) error { return nil }

func (g *guarded) SetReference(r *plumbing.Reference) error { return g.mem.SetReference(r) }

func (g *guarded) CheckAndSetReference(to, old *plumbing.Reference) error {
	return g.mem.CheckAndSetReference(to, old)
}

func (g *guarded) Reference(n plumbing.ReferenceName) (*plumbing.Reference, error) {
	return g.mem.Reference(n)
}

func (g *guarded) IterReferences() (storer.ReferenceIter, error) { return g.mem.IterReferences() }

func (g *guarded) RemoveReference(n plumbing.ReferenceName) error { return g.mem.RemoveReference(n) }

func (g *guarded) CountLooseRefs() (int, error) { return 0, nil }

func (g *guarded) PackRefs() error { return nil }

// authOf makes go-git's authentication of a remote's.
func authOf(r Remote) (transport.AuthMethod, error) {
	e, err := transport.NewEndpoint(r.URL)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "its URL: %w", withoutURL(err))
	}
	switch e.Protocol {
	case "ssh":
		return sshAuth(r, e.User)
	case "http":
		if !r.Password.IsZero() {
			return nil, katprep.Errorf(katprep.Invalid, "a password would go over the network unencrypted").
				WithHint("use https")
		}
		return nil, nil
	case "https":
		if r.Password.IsZero() {
			return nil, nil
		}
		user := r.User
		if user == "" {
			user = "katprep" // services that take a token ignore it, but want one
		}
		return &http.BasicAuth{Username: user, Password: r.Password.Reveal()}, nil
	case "file":
		return nil, nil
	}
	return nil, katprep.Errorf(katprep.Invalid, "protocol %s is not known", e.Protocol).WithHint("use ssh, https or a path")
}

// withoutURL drops the URL, which may hold a password, from an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func sshAuth(r Remote, user string) (transport.AuthMethod, error) {
	if r.User != "" {
		user = r.User
	}
	if user == "" {
		user = gitssh.DefaultUsername
	}
	var files []string
	if r.KnownHosts != "" {
		files = append(files, r.KnownHosts)
	}
	check, err := gitssh.NewKnownHostsCallback(files...)
	if err != nil {
		return nil, katprep.Errorf(katprep.Denied, "known hosts: %w", err).
			WithHint("add the server's key to ~/.ssh/known_hosts")
	}
	if r.SSHKey != "" {
		keys, err := gitssh.NewPublicKeysFromFile(user, r.SSHKey, r.Password.Reveal())
		if err != nil {
			return nil, katprep.Errorf(katprep.Denied, "key %s: %w", r.SSHKey, err)
		}
		keys.HostKeyCallback = check
		return keys, nil
	}
	agent, err := gitssh.NewSSHAgentAuth(user)
	if err != nil {
		return nil, katprep.Errorf(katprep.Denied, "SSH agent: %w", err).WithHint("start the agent, or configure a key")
	}
	agent.HostKeyCallback = check
	return agent, nil
}

// remoteError classes what a remote or the way to it says.
func remoteError(err error) error {
	if err == nil {
		return nil
	}
	key, unknown := errors.AsType[*knownhosts.KeyError](err)
	_, revoked := errors.AsType[*knownhosts.RevokedError](err)
	_, refused := errors.AsType[*ssh.ExitError](err)
	text := err.Error()
	switch {
	case revoked, unknown && len(key.Want) > 0, strings.Contains(text, "knownhosts: key mismatch"):
		return katprep.Errorf(katprep.Denied, "the server's SSH key is not the known one: %w", err).
			WithHint("if the server was really changed, replace its line in known_hosts")
	case unknown, strings.Contains(text, "knownhosts: key is unknown"):
		return katprep.Errorf(katprep.Denied, "the server's SSH key is not known: %w", err).
			WithHint("check its fingerprint and add it to known_hosts, e.g. with ssh-keyscan")
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), strings.Contains(text, "unable to authenticate"):
		return katprep.Errorf(katprep.Denied, "%w", err).WithHint("check user, key or token of the remote")
	case errors.Is(err, transport.ErrRepositoryNotFound), errors.Is(err, transport.ErrInvalidAuthMethod):
		return katprep.Errorf(katprep.NotFound, "%w", err).WithHint("make an empty bare repository there")
	case strings.Contains(text, "non-fast-forward"), strings.Contains(text, "pre-receive hook declined"), strings.Contains(text, "hook declined"), strings.Contains(text, "command error on"):
		return katprep.Errorf(katprep.Conflict, "the remote refused: %w", err).WithHint("nothing was lost; look at it and push again: katprep archive push")
	case refused:
		return katprep.Errorf(katprep.Denied, "%w", err)
	}
	return katprep.Errorf(katprep.Unreachable, "%w", err).WithHint("it is pushed again the next time; the archive here is whole")
}
