package all

import (
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/feed"
	"github.com/stdevel/katprep/internal/sshsource"
)

func newSSH(s config.Source, o Options) (collect.Collector, error) {
	hosts, dialer, err := sshsource.Open(s, o.SSH, o.Path)
	if err != nil {
		return nil, err
	}
	f, err := openFeed(s, o)
	if err != nil {
		return nil, err
	}
	from, err := otherSource(s, o)
	if err != nil {
		return nil, err
	}
	user := s.User
	if user == "" {
		user = o.User
	}
	return direct.NewSSH(direct.SSHOptions{
		Options: direct.Options{Name: s.Name, Changelogs: true, Feed: f, Refresh: s.Refresh},
		Dialer:  dialer, Hosts: hosts, From: from, Sudo: s.Sudo, Deadline: s.Timeout.Std(), User: user,
	}), nil
}

// openFeed reads the advisory files of a source; nil if it has none.
func openFeed(s config.Source, o Options) (*feed.Feed, error) {
	if len(s.Feeds) == 0 {
		return nil, nil
	}
	paths := make([]string, len(s.Feeds))
	for i, p := range s.Feeds {
		paths[i] = o.Path(p)
	}
	return feed.Load(paths...)
}

// otherSource opens the source that lists the hosts of this one; nil if none
// does.
func otherSource(s config.Source, o Options) (collect.Collector, error) {
	name, ok := sshsource.From(s)
	if !ok {
		return nil, nil
	}
	for _, other := range o.sources {
		newKind := o.kinds[other.Type]
		if other.Name != name {
			continue
		}
		if other.Type == "ssh" || newKind == nil {
			return nil, katprep.Errorf(katprep.Invalid, "inventory %s: a source of type %s lists no hosts for others", s.Inventory, other.Type)
		}
		return newKind(other, o)
	}
	return nil, katprep.Errorf(katprep.Invalid, "inventory %s: no source is called %q", s.Inventory, name)
}
