package all

import (
	"context"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act/alertmanager"
	actdirect "github.com/stdevel/katprep/act/direct"
	actforeman "github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/act/hyperv"
	"github.com/stdevel/katprep/act/icinga1"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/act/livestatus"
	"github.com/stdevel/katprep/act/nagios"
	"github.com/stdevel/katprep/act/proxmox"
	"github.com/stdevel/katprep/act/thruk"
	"github.com/stdevel/katprep/act/vsphere"
	"github.com/stdevel/katprep/act/xapi"
	"github.com/stdevel/katprep/act/zabbix"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/feed"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/sshsource"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
	"github.com/stdevel/katprep/internal/winrm"
)

// A systemMaker opens one kind of system.
type systemMaker struct {
	login bool // it takes a user and a password
	open  func(c config.System, l creds.Login, o Options) (any, error)
	// loginIf says when one that needs no login takes one all the same.
	loginIf func(c config.System) bool
}

// monitors lists the monitoring systems by their type in the configuration.
var monitors = map[string]systemMaker{
	"alertmanager": {login: true, open: newAlertmanager},
	"icinga1":      {login: true, open: newIcinga1},
	"icinga2":      {login: true, open: newIcinga2},
	"livestatus":   {open: newLivestatus},
	"nagios":       {login: true, open: newNagios},
	"thruk":        {login: true, open: newThruk},
	"zabbix":       {login: true, open: newZabbix},
}

// hypervisors lists the hypervisors by their type in the configuration.
var hypervisors = map[string]systemMaker{
	"hyperv":  {open: newHyperV, loginIf: overWinRM},
	"libvirt": {open: newLibvirt},
	"proxmox": {login: true, open: newProxmox},
	"vsphere": {login: true, open: newVSphere},
	"xapi":    {login: true, open: newXAPI},
}

// patchers lists what patches the hosts of a source, by the source's type.
var patchers = map[string]func(context.Context, config.Source, Options) (any, error){
	"direct":  newLocal,
	"foreman": newForeman,
	"ssh":     newSSH,
}

func newAlertmanager(c config.System, l creds.Login, o Options) (any, error) {
	return alertmanager.New(alertmanager.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std(), Labels: c.Labels})
}

func newIcinga1(c config.System, l creds.Login, o Options) (any, error) {
	return icinga1.New(icinga1.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std()})
}

func newIcinga2(c config.System, l creds.Login, o Options) (any, error) {
	return icinga2.New(icinga2.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std(), Children: c.Children})
}

func newLivestatus(c config.System, l creds.Login, o Options) (any, error) {
	return livestatus.New(livestatus.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std()})
}

func newNagios(c config.System, l creds.Login, o Options) (any, error) {
	return nagios.New(nagios.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std(), DateFormat: c.DateFormat, Children: c.Children})
}

func newThruk(c config.System, l creds.Login, o Options) (any, error) {
	return thruk.New(thruk.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std(), Backend: c.Backend})
}

func newZabbix(c config.System, l creds.Login, o Options) (any, error) {
	return zabbix.New(zabbix.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Std()})
}

func limits(c config.System) vm.Limits {
	return vm.Limits{Creations: c.Concurrency, Read: c.Timeout.Std()}
}

func httpOptions(c config.System, o Options) httpx.Options {
	return httpx.Options{CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure, Timeout: c.Timeout.Or(time.Minute)}
}

// sshOptions are those of one system.
func sshOptions(c config.System, o Options) sshx.Options {
	ssh := o.SSH
	if c.User != "" {
		ssh.User = c.User
	}
	if c.KnownHosts != "" {
		ssh.KnownHosts = []string{o.Path(c.KnownHosts)}
	}
	return ssh
}

// overWinRM reports whether a Hyper-V host is reached through WinRM, not SSH.
func overWinRM(c config.System) bool { return strings.Contains(c.URL, "://") }

func newHyperV(c config.System, l creds.Login, o Options) (any, error) {
	if overWinRM(c) {
		h := httpOptions(c, o)
		h.Timeout = max(h.Timeout, time.Minute) // the host may say nothing for a while
		return hyperv.New(hyperv.Options{WinRM: winrm.Options{URL: c.URL, Login: l, HTTP: h}, Limits: limits(c)})
	}
	return hyperv.New(hyperv.Options{Host: sshx.Host{Name: c.URL, User: c.User}, SSH: sshOptions(c, o), Limits: limits(c)})
}

func newLibvirt(c config.System, _ creds.Login, o Options) (any, error) {
	return libvirt.New(libvirt.Options{URI: c.URL, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, SSH: sshOptions(c, o), Limits: limits(c)})
}

func newProxmox(c config.System, l creds.Login, o Options) (any, error) {
	return proxmox.New(proxmox.Options{URL: c.URL, Login: l, HTTP: httpOptions(c, o), Limits: limits(c)})
}

func newVSphere(c config.System, l creds.Login, o Options) (any, error) {
	return vsphere.New(vsphere.Options{URL: c.URL, Login: l, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Thumbprint: c.Thumbprint, Insecure: c.Insecure, Limits: limits(c)})
}

func newXAPI(c config.System, l creds.Login, o Options) (any, error) {
	return xapi.New(xapi.Options{URL: c.URL, Login: l, HTTP: httpOptions(c, o), Limits: limits(c)})
}

func newForeman(_ context.Context, c config.Source, o Options) (any, error) {
	login, err := o.Login(creds.Management, firstOf(c.Credential, c.Name), c.Name+" at "+c.URL)
	if err != nil {
		return nil, err
	}
	options := actforeman.Options{
		Name: c.Name, URL: c.URL, Login: login, CAFile: o.Path(c.CAFile), ServerName: c.ServerName, Insecure: c.Insecure,
		Concurrency: c.Concurrency,
	}
	if o.Foreman != nil {
		o.Foreman(&options)
	}
	return actforeman.New(options)
}

// newLocal acts on this machine, and on no other host.
func newLocal(ctx context.Context, c config.Source, o Options) (any, error) {
	for t, err := range direct.NewLocal(direct.Options{Name: c.Name}, "").Targets(ctx, katprep.Selection{}) {
		if err != nil {
			return nil, err
		}
		fixes, err := fixesOf(c, o)
		return actdirect.New(actdirect.Options{Local: t.Host, Sudo: c.Sudo, Fixes: fixes, Output: o.Output}), err
	}
	return nil, katprep.Errorf(katprep.NotFound, "this machine does not know itself")
}

func newSSH(_ context.Context, c config.Source, o Options) (any, error) {
	hosts, dialer, err := sshsource.Open(c, o.SSH, o.Path)
	if err != nil {
		return nil, err
	}
	fixes, err := fixesOf(c, o)
	if err != nil {
		return nil, err
	}
	_, others := sshsource.From(c) // another source lists hosts, by names that SSH finds
	return actdirect.New(actdirect.Options{
		Dialer: dialer, Hosts: hosts, Any: others, Sudo: c.Sudo, Concurrency: c.Concurrency, Fixes: fixes, Output: o.Output,
	}), nil
}

// fixesOf looks advisories up in the feeds of a source: Debian's package
// manager knows none.
func fixesOf(c config.Source, o Options) (func(id string) (katprep.Erratum, bool), error) {
	if len(c.Feeds) == 0 {
		return nil, nil
	}
	paths := make([]string, len(c.Feeds))
	for i, p := range c.Feeds {
		paths[i] = o.Path(p)
	}
	f, err := feed.Load(paths...)
	if err != nil {
		return nil, err
	}
	return f.Erratum, nil
}
