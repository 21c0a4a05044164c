package all

import (
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/config"
)

func newDirect(s config.Source, o Options) (collect.Collector, error) {
	f, err := openFeed(s, o)
	if err != nil {
		return nil, err
	}
	do := direct.Options{Name: s.Name, Changelogs: true, Feed: f, Refresh: s.Refresh}
	if s.Sudo {
		do.Command = []string{"sudo", "-n", "/bin/sh", "-s"}
	}
	return direct.NewLocal(do, o.User), nil
}

func newForeman(s config.Source, o Options) (collect.Collector, error) {
	login, err := o.Login(s, credentialName(s))
	if err != nil {
		return nil, err
	}
	if s.Insecure {
		o.Warn("source %s: the server's certificate is NOT checked: whoever sits between can read the password and forge the evidence", s.Name)
	}
	packages := s.Packages == nil || *s.Packages
	return foreman.New(foreman.Options{
		Name: s.Name, URL: s.URL, Login: login,
		CAFile: o.Path(s.CAFile), ServerName: s.ServerName, Insecure: s.Insecure,
		Concurrency: s.Concurrency, Timeout: s.Timeout.Std(),
		Packages: packages, Applicable: s.Applicable, Facts: s.Facts,
		Traces:       packages, // a request for each host, as packages are
		ErrataSource: foreman.ErrataSource(s.ErrataSource),
		Organization: s.Organization, Location: s.Location,
	})
}

// credentialName is the name of a source's credential: its own if it has
// none.
func credentialName(s config.Source) string {
	if s.Credential != "" {
		return s.Credential
	}
	return s.Name
}
