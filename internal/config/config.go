// Package config reads the one configuration file: strict YAML, every fault
// named with its line.
package config

import "github.com/stdevel/katprep"

// Config is the whole configuration. The zero value is a usable one: this
// machine as the only source, the archive in the user's data directory.
type Config struct {
	Archive     Archive     `yaml:"archive"`
	Sources     []Source    `yaml:"sources"`
	Monitoring  []System    `yaml:"monitoring"`
	Hypervisors []System    `yaml:"hypervisors"`
	Credentials Credentials `yaml:"credentials"`
	Maintenance Maintenance `yaml:"maintenance"`
	Policy      Policy      `yaml:"policy"`
	Report      Report      `yaml:"report"`
	Site        Site        `yaml:"site"`
}

// Archive says where the evidence is kept and how it is protected.
type Archive struct {
	Path     string            `yaml:"path"`
	Sign     Sign              `yaml:"sign"`
	Remotes  map[string]string `yaml:"remotes"`      // name → URL or path
	Push     []string          `yaml:"push"`         // names of remotes to push to after each stage
	Branch   string            `yaml:"branch"`       // of the remotes; each machine that feeds one has its own. Default main
	PushKey  string            `yaml:"push_key"`     // SSH private key file for the remotes; default: the agent
	PushCA   string            `yaml:"push_ca_file"` // certificates to trust for https remotes
	Mask     []string          `yaml:"mask"`         // further globs of parameter and fact names that hold secrets
	LockWait Duration          `yaml:"lock_wait"`
	Stamp    Stamp             `yaml:"stamp"`
}

// Stamp names the service that witnesses when commits existed (RFC 3161).
type Stamp struct {
	URL        string   `yaml:"url"`        // http or https; "" for none
	CAFile     string   `yaml:"ca_file"`    // who issued the service's certificate
	Timeout    Duration `yaml:"timeout"`    // for one stamp, default 30s
	Credential string   `yaml:"credential"` // of HTTP Basic authentication; "" for none
	OnFailure  string   `yaml:"on_failure"` // warn (default), fail: what a stamp that cannot be got is; the commit stays either way
}

// Sign names the key that signs commits and tags; at most one is set.
type Sign struct {
	SSHKey     string `yaml:"ssh_key"`     // private key file, or public key file of a key in the agent
	OpenPGPKey string `yaml:"openpgp_key"` // armored private key file
}

// Source is a system that knows hosts.
type Source struct {
	Name       string `yaml:"name"`
	Type       string `yaml:"type"` // foreman, direct, ssh
	URL        string `yaml:"url"`
	CAFile     string `yaml:"ca_file"`
	ServerName string `yaml:"server_name"`
	Insecure   bool   `yaml:"insecure"`
	Credential string `yaml:"credential"`

	Concurrency int      `yaml:"concurrency"`
	Timeout     Duration `yaml:"timeout"` // for one host

	// Foreman and Katello.
	Organization string `yaml:"organization"`
	Location     string `yaml:"location"`
	Packages     *bool  `yaml:"packages"`      // installed packages; default yes
	Applicable   bool   `yaml:"applicable"`    // applicable errata as well as installable ones
	Facts        bool   `yaml:"facts"`         // all facts of each host
	ErrataSource string `yaml:"errata_source"` // auto, bulk, report, search, host

	// Hosts over SSH.
	Inventory    string   `yaml:"inventory"` // Ansible inventory, INI or YAML
	Hosts        []string `yaml:"hosts"`
	User         string   `yaml:"user"`
	Port         int      `yaml:"port"`
	Sudo         bool     `yaml:"sudo"`
	IdentityFile string   `yaml:"identity_file"`
	KnownHosts   string   `yaml:"known_hosts"`
	ProxyJump    string   `yaml:"proxy_jump"`
	Feeds        []string `yaml:"feeds"`   // offline advisory feeds
	Refresh      bool     `yaml:"refresh"` // refresh repository metadata first
}

// System is a monitoring system or a hypervisor.
type System struct {
	Name        string   `yaml:"name"`
	Type        string   `yaml:"type"`
	URL         string   `yaml:"url"`
	CAFile      string   `yaml:"ca_file"`
	ServerName  string   `yaml:"server_name"`
	Thumbprint  string   `yaml:"thumbprint"`
	Insecure    bool     `yaml:"insecure"`
	Credential  string   `yaml:"credential"`
	Concurrency int      `yaml:"concurrency"`
	Timeout     Duration `yaml:"timeout"`
	KnownHosts  string   `yaml:"known_hosts"`
	User        string   `yaml:"user"`

	// Monitoring systems.
	Children   bool     `yaml:"children"`    // icinga2, nagios: downtimes of dependent hosts as well
	DateFormat string   `yaml:"date_format"` // nagios: as in nagios.cfg; empty: found out
	Labels     []string `yaml:"labels"`      // alertmanager: labels that hold the host; empty: instance
	Backend    string   `yaml:"backend"`     // thruk: key of the one backend that is meant
}

// Credentials say where secrets are found; see docs/credentials.md for the
// order.
type Credentials struct {
	File     string              `yaml:"file"`     // age-encrypted
	Identity string              `yaml:"identity"` // key that opens it, instead of a passphrase
	Command  []string            `yaml:"command"`  // prints a password; {{name}} is the credential's name
	Commands map[string][]string `yaml:"commands"` // the same for single credentials
	Keyring  bool                `yaml:"keyring"`
}

// Maintenance holds the defaults of runs.
type Maintenance struct {
	Downtime    Duration            `yaml:"downtime"` // length, default 8h
	Reboot      string              `yaml:"reboot"`   // if-needed, always, never
	OnFailure   string              `yaml:"on_failure"`
	MaxFailures int                 `yaml:"max_failures"`
	Concurrency int                 `yaml:"concurrency"`
	Limits      map[string]int      `yaml:"limits"` // actions at once by "system" or "system/datastore"
	Waves       []Wave              `yaml:"waves"`
	Hooks       []Hook              `yaml:"hooks"`
	Exclude     []string            `yaml:"exclude_packages"`
	Updates     bool                `yaml:"updates"`     // package updates without erratum too
	VMSnapshot  string              `yaml:"vm_snapshot"` // by-parameter, always, never
	SnapshotAge Duration            `yaml:"vm_snapshot_max_age"`
	Quiesce     string              `yaml:"quiesce"` // no, try, require
	Memory      bool                `yaml:"memory"`
	StateDir    string              `yaml:"state_dir"`
	Window      Duration            `yaml:"window"`
	Settle      Duration            `yaml:"settle"`   // for services to come back, default 5m
	Timeouts    map[string]Duration `yaml:"timeouts"` // of each step, by its kind: patch, reboot, vm-snapshot …
	Announce    string              `yaml:"announce"` // on the hosts' pages in Foreman: none, comment, parameter, report
}

// Wave selects the hosts of one wave; hosts that no wave selects come last.
type Wave struct {
	Name        string   `yaml:"name"`
	Hosts       []string `yaml:"hosts"`
	HostGroups  []string `yaml:"host_groups"`
	Parameters  []string `yaml:"parameters"`
	Percent     int      `yaml:"percent"`
	Concurrency int      `yaml:"concurrency"`
	Gate        string   `yaml:"gate"`
}

// Hook is a script around a stage.
type Hook struct {
	Name      string            `yaml:"name"`
	Stage     string            `yaml:"stage"` // prepare.pre, patch.post …
	Where     string            `yaml:"where"` // host or controller
	Run       string            `yaml:"run"`   // script text, or
	File      string            `yaml:"file"`  // a file of it
	Undo      string            `yaml:"undo"`
	User      string            `yaml:"user"`
	Env       map[string]string `yaml:"env"`
	Timeout   Duration          `yaml:"timeout"`
	OnFailure string            `yaml:"on_failure"`
	Always    bool              `yaml:"always"`
	Hosts     []string          `yaml:"hosts"`
}

// Policy holds the organisation's own rules.
type Policy struct {
	Deadlines   map[katprep.Severity]Duration `yaml:"deadlines"`   // from the day of issue
	Groups      []PolicyGroup                 `yaml:"groups"`      // other deadlines for some hosts
	Criticality string                        `yaml:"criticality"` // parameter that holds it
	Exclude     []string                      `yaml:"exclude"`     // host globs
}

// PolicyGroup overrides deadlines for hosts.
type PolicyGroup struct {
	Hosts       []string                      `yaml:"hosts"`
	HostGroups  []string                      `yaml:"host_groups"`
	Criticality []string                      `yaml:"criticality"`
	Deadlines   map[katprep.Severity]Duration `yaml:"deadlines"`
}

// Report holds the defaults of reports.
type Report struct {
	Title     string            `yaml:"title"`
	Templates string            `yaml:"templates"` // directory
	Meta      map[string]string `yaml:"meta"`
}

// Site says where and how the site is built.
type Site struct {
	Out      string   `yaml:"out"`
	Title    string   `yaml:"title"`
	Compare  []string `yaml:"compare"`  // "A..B", or "monthly"
	URL      string   `yaml:"url"`      // where it will be served
	Commit   string   `yaml:"commit"`   // prefix of links to commits, e.g. of a forge
	Controls string   `yaml:"controls"` // file with control references
}
