package foreman

import (
	"context"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// purposes are the words that patch jobs have after their marker; a request
// of two jobs says which of the two each is.
var purposes = []string{"errata", "packages", "update", "script", errataFirst, packagesSecond, updateSecond}

const (
	errataFirst    = "errata-1of2"
	packagesSecond = "packages-2of2"
	updateSecond   = "update-2of2"
)

var (
	erratumID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._-]*$`)
	packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._~:-]*$`)
	packageGlob = regexp.MustCompile(`^[A-Za-z0-9*?\[][A-Za-z0-9+._~:*?\[\]-]*$`)
)

// valid refuses a request before anything is sent: all of it ends in a shell
// on the hosts.
func valid(r act.PatchRequest) error {
	if len(r.Errata) == 0 && len(r.Packages) == 0 && !r.All {
		return katprep.Errorf(katprep.Invalid, "nothing is to be installed")
	}
	for what, list := range map[*regexp.Regexp][]string{erratumID: r.Errata, packageName: r.Packages, packageGlob: r.Exclude} {
		for _, s := range list {
			if !what.MatchString(s) {
				return katprep.Errorf(katprep.Invalid, "%q is no name of an erratum or package", s)
			}
		}
	}
	return r.Marker.Check()
}

// orders says which jobs do what is asked for: Katello's own templates where
// they can, a script of ours where they cannot (excludes, downloads, servers
// without these templates).
func (a *Actor) orders(ctx context.Context, r act.PatchRequest) ([]order, error) {
	if len(r.Exclude) > 0 || r.Download {
		return a.scripted(ctx, r)
	}
	var orders []order
	for _, part := range []func(context.Context, act.PatchRequest) (order, bool, error){a.errataOrder, a.packageOrder} {
		o, possible, err := part(ctx, r)
		switch {
		case err != nil:
			return nil, err
		case !possible:
			return a.scripted(ctx, r)
		case o.template != 0:
			orders = append(orders, o)
		}
	}
	if len(orders) == 2 {
		orders[0].purpose += "-1of2"
		orders[1].purpose += "-2of2"
	}
	for i := range orders {
		orders[i].marker = r.Marker
	}
	return orders, nil
}

const (
	errataByID     = "katello_errata_install"
	errataBySearch = "katello_errata_install_by_search"
	errataQuery    = "Errata search query" // its input
)

// errataOrder installs errata by ID or by search; template 0 means that none
// are asked for, possible that the server has a template for it.
func (a *Actor) errataOrder(ctx context.Context, r act.PatchRequest) (o order, possible bool, err error) {
	security := r.All && r.Security
	if len(r.Errata) == 0 && !security {
		return order{}, true, nil
	}
	byID, hasID, err := a.feature(ctx, errataByID)
	if err != nil {
		return order{}, false, err
	}
	bySearch, hasSearch, err := a.feature(ctx, errataBySearch)
	query := "errata_id ^ (" + strings.Join(r.Errata, ", ") + ")"
	if security {
		query = strings.TrimSuffix("type = security or "+query, " or errata_id ^ ()")
	}
	switch {
	case err != nil:
		return order{}, false, err
	case hasID && !security:
		return order{template: byID, purpose: "errata", inputs: map[string]string{"errata": strings.Join(r.Errata, ",")}}, true, nil
	}
	return order{template: bySearch, purpose: "errata", inputs: map[string]string{errataQuery: query}}, hasSearch, nil
}

// packageOrder updates packages, or all of them.
func (a *Actor) packageOrder(ctx context.Context, r act.PatchRequest) (o order, possible bool, err error) {
	all := r.All && !r.Security
	if len(r.Packages) == 0 && !all {
		return order{}, true, nil
	}
	id, ok, err := a.feature(ctx, "katello_package_update")
	if err != nil || !ok {
		return order{}, false, err
	}
	if all {
		return order{template: id, purpose: "update", inputs: map[string]string{"package": ""}}, true, nil // empty: all
	}
	return order{template: id, purpose: "packages", inputs: map[string]string{"package": strings.Join(r.Packages, " ")}}, true, nil
}

func (a *Actor) scripted(ctx context.Context, r act.PatchRequest) ([]order, error) {
	id, err := a.commandTemplate(ctx)
	if err != nil {
		return nil, err
	}
	return []order{{template: id, purpose: "script", marker: r.Marker, inputs: map[string]string{"command": patchScript(r)}}}, nil
}

// patchScript installs with the host's own package manager. What a manager
// cannot do as asked fails with a word, and nothing is installed.
func patchScript(r act.PatchRequest) string {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, " ") + "\n") }
	line("set -eu")
	line("export LC_ALL=C DEBIAN_FRONTEND=noninteractive")
	line("no() { echo \"katprep: $1\" >&2; exit 64; }")
	line("dnf=$(command -v dnf || command -v yum || true)")
	line(`if [ -n "$dnf" ]; then`)
	rpmLines(r, line)
	line("elif command -v zypper >/dev/null; then")
	zypperLines(r, line)
	line("elif command -v apt-get >/dev/null; then")
	aptLines(r, line)
	line("else no 'no package manager is known here'; fi")
	return b.String()
}

func quoted(prefix string, list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, "'"+prefix+s+"'")
	}
	return strings.Join(out, " ")
}

func rpmLines(r act.PatchRequest, line func(...string)) {
	flags := `"$dnf" -y ` + quoted("--exclude=", r.Exclude)
	if r.Download {
		flags += " --downloadonly"
	}
	if len(r.Errata) > 0 {
		line(flags, "update-minimal", quoted("--advisory=", r.Errata))
	}
	switch {
	case r.All && r.Security:
		line(flags, "--security update")
	case r.All:
		line(flags, "update")
	case len(r.Packages) > 0:
		line(flags, "update", quoted("", r.Packages))
	}
}

func zypperLines(r act.PatchRequest, line func(...string)) {
	if len(r.Exclude) > 0 {
		line("no 'zypper cannot leave packages out'")
		return
	}
	flags := ""
	if r.Download {
		flags = "--download-only"
	}
	if len(r.Errata) > 0 {
		line("zypper --non-interactive install --auto-agree-with-licenses", flags, "-t patch", quoted("", r.Errata))
	}
	switch {
	case r.All && r.Security:
		line("zypper --non-interactive patch --auto-agree-with-licenses --category security", flags)
	case r.All:
		line("zypper --non-interactive update --auto-agree-with-licenses", flags)
	case len(r.Packages) > 0:
		line("zypper --non-interactive update --auto-agree-with-licenses", flags, quoted("", r.Packages))
	}
}

func aptLines(r act.PatchRequest, line func(...string)) {
	if len(r.Errata) > 0 || r.All && r.Security || len(r.Exclude) > 0 {
		line("no 'apt knows no advisories, and cannot leave packages out'")
		return
	}
	apt := "apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
	if r.Download {
		apt += " --download-only"
	}
	if r.All {
		line(apt, "upgrade")
	} else {
		line(apt, "install --only-upgrade", quoted("", r.Packages))
	}
}
