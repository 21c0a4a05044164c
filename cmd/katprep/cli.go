package main

import (
	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep"
)

const description = `Take Linux hosts through a patch day and keep the evidence.

Inventories before and after are commits in a Git archive; reports and the
site are computed from it. Without a configuration, "katprep snapshot" reads
this machine. "katprep demo" plays a whole patch day on a simulated landscape.

Exit codes: 0 well; 1 error; 2 usage or configuration; 3 finished, but hosts
failed or are unknown; 10 no archive; 11 archive or run in use; 12 credentials
cannot be unlocked; 130 interrupted. Read on with "katprep man COMMAND";
"katprep docs build" writes the whole documentation.`

// groups head the commands in the help.
var groups = []kong.Group{
	{Key: "evidence", Title: "Inventory and evidence"},
	{Key: "work", Title: "Maintenance"},
	{Key: "setup", Title: "Setting up"},
}

// cli is the grammar of the command line.
type cli struct {
	Config  string `short:"c" placeholder:"FILE" help:"Configuration file (default: katprep.yml here, in the user's or the system's configuration)."`
	Archive string `placeholder:"DIR" help:"Archive, instead of the configured one."`
	Output  string `enum:"text,json" default:"text" placeholder:"text|json" help:"What standard output holds: text, or one JSON object a line."`
	Quiet   bool   `short:"q" help:"Data and errors only."`
	Verbose bool   `short:"v" help:"Say more of what is being done."`
	Color   string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours: auto, always, never."`
	As      string `placeholder:"'NAME <MAIL>'" help:"Who acts, for the record (default: the CI's or the system's user)."`

	Init        initCmd        `cmd:"" group:"setup" help:"Make an archive and a commented configuration."`
	Snapshot    snapshotCmd    `cmd:"" group:"evidence" help:"Collect the hosts' states and commit them."`
	Log         logCmd         `cmd:"" group:"evidence" help:"List the snapshots."`
	Show        showCmd        `cmd:"" group:"evidence" help:"Show one host, or its history."`
	Diff        diffCmd        `cmd:"" group:"evidence" help:"Show what changed between two snapshots."`
	Report      reportCmd      `cmd:"" group:"evidence" help:"Write the patch report of two snapshots."`
	Site        siteCmd        `cmd:"" group:"evidence" help:"Build or serve the static site."`
	Exception   exceptionCmd   `cmd:"" group:"evidence" help:"Decide not to install something for a while."`
	Maintenance maintenanceCmd `cmd:"" group:"work" help:"Take hosts through a maintenance: plan, prepare, execute, verify, clean up."`
	Approve     approveCmd     `cmd:"" group:"work" help:"Allow a run."`
	SignOff     signOffCmd     `cmd:"" name:"sign-off" group:"work" help:"Accept the result of a run."`
	Evidence    evidenceCmd    `cmd:"" group:"evidence" help:"Hand evidence over to an auditor."`
	ArchiveC    archiveCmd     `cmd:"" name:"archive" group:"evidence" help:"Work with the archive itself."`
	Parameters  parametersCmd  `cmd:"" group:"work" help:"Read and change host parameters in Foreman."`
	Populate    populateCmd    `cmd:"" group:"work" help:"Find hosts in monitoring and on hypervisors, and fill the parameters in."`
	Auth        authCmd        `cmd:"" group:"setup" help:"Keep the credentials."`
	SSH         sshCmd         `cmd:"" name:"ssh" group:"setup" help:"Trust the keys of hosts over SSH."`
	ConfigC     configCmd      `cmd:"" name:"config" group:"setup" help:"Check or show the configuration."`
	Demo        demoCmd        `cmd:"" group:"setup" help:"Play a patch day on a simulated landscape."`
	Doctor      doctorCmd      `cmd:"" group:"setup" help:"Collect what a bug report needs, without secrets."`
	Migrate     migrateCmd     `cmd:"" group:"setup" help:"Translate command lines and templates of katprep 0.x."`
	Docs        docsCmd        `cmd:"" group:"setup" help:"Read the documentation without a network."`
	Man         manCmd         `cmd:"" group:"setup" help:"Show a manual page."`
	Completion  completionCmd  `cmd:"" group:"setup" help:"Print a completion script for a shell."`
	Complete    completeCmd    `cmd:"" hidden:""`
	Version     versionCmd     `cmd:"" group:"setup" help:"Say which version this is."`
}

// selectFlags select hosts; they are embedded where hosts are selected.
type selectFlags struct {
	Host       []string `placeholder:"GLOB" group:"Selection" help:"Hosts by name or glob."`
	Group      []string `placeholder:"GROUP" group:"Selection" help:"Host groups, with their children."`
	Org        []string `placeholder:"NAME" group:"Selection" help:"Organizations."`
	Location   []string `placeholder:"NAME" group:"Selection" help:"Locations."`
	Env        []string `placeholder:"NAME" group:"Selection" help:"Lifecycle environments."`
	OS         []string `name:"os" placeholder:"NAME" group:"Selection" help:"Operating systems, e.g. 'RedHat 9*'."`
	View       []string `placeholder:"NAME" group:"Selection" help:"Content views."`
	Collection []string `placeholder:"NAME" group:"Selection" help:"Host collections."`
	Param      []string `placeholder:"NAME[=VALUE]" group:"Selection" help:"Parameters."`
	Source     []string `placeholder:"NAME" group:"Selection" help:"Configured sources."`
	Search     string   `placeholder:"QUERY" group:"Selection" help:"Search in Foreman's own language."`
	Exclude    []string `placeholder:"GLOB" group:"Selection" help:"Hosts that are left out."`
}

func (f *selectFlags) selection() katprep.Selection {
	return katprep.Selection{
		Hosts: f.Host, HostGroups: f.Group, Organizations: f.Org, Locations: f.Location,
		Environments: f.Env, OS: f.OS, ContentViews: f.View, Collections: f.Collection,
		Parameters: f.Param, Sources: f.Source, Search: f.Search, Exclude: f.Exclude,
	}
}
