package all

import (
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/sshsource"
)

func newSSH(s config.Source, o Options) (collect.Collector, error) {
	hosts, dialer, err := sshsource.Open(s, o.SSH, o.Path)
	if err != nil {
		return nil, err
	}
	user := s.User
	if user == "" {
		user = o.User
	}
	return direct.NewSSH(direct.SSHOptions{
		Options: direct.Options{Name: s.Name, Changelogs: true, Refresh: s.Refresh},
		Dialer:  dialer, Hosts: hosts, Sudo: s.Sudo, Deadline: s.Timeout.Std(), User: user,
	}), nil
}
