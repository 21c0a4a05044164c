package foremanapi

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

// An Erratum is an erratum as Katello describes it. All texts are untrusted.
type Erratum struct {
	ID          text  `json:"errata_id"`
	Title       text  `json:"title"`
	Type        text  `json:"type"`
	Severity    text  `json:"severity"`
	Issued      text  `json:"issued"`
	Updated     text  `json:"updated"`
	Description text  `json:"description"`
	Solution    text  `json:"solution"`
	Summary     text  `json:"summary"`
	Reboot      flag  `json:"reboot_suggested"`
	Installable *flag `json:"installable"` // only when read for one host
	CVEs        list[struct {
		ID text `json:"cve_id"`
	}] `json:"cves"`
	Bugs list[struct {
		ID   text `json:"bug_id"`
		Href text `json:"href"`
	}] `json:"bugs"`
	Packages names        `json:"packages"`
	Modules  list[Module] `json:"module_streams"`
	Hosts    list[Named]  `json:"applicable_hosts"` // only when read for many hosts
}

// A Module is a module stream that an erratum fixes.
type Module struct {
	Name     text  `json:"name"`
	Stream   text  `json:"stream"`
	Packages names `json:"packages"`
}

// BulkErrata yields each erratum that is installable (or applicable) on any
// host of the organization that the search finds, with the hosts it concerns.
// Without an organization (0) it covers all that the user may see.
func (c *Client) BulkErrata(ctx context.Context, org int64, search string, applicable bool, per, ahead int) iter.Seq2[Erratum, error] {
	call := callInstallable
	if applicable {
		call = callApplicable
	}
	f := func(ctx context.Context, n int) (*Page[json.RawMessage], error) {
		body := map[string]any{"included": map[string]any{"search": search}, "page": n, "per_page": per}
		if org != 0 {
			body["organization_id"] = org
		}
		return c.page(ctx, call, nil, nil, body)
	}
	return walk(ctx, "errata of "+c.base.Host, per, ahead, plain[Erratum], f)
}

// Errata yields the catalogue of errata that are installable (or applicable)
// on any host of the organization, without saying on which.
func (c *Client) Errata(ctx context.Context, server *Server, org int64, applicable bool, per, ahead int) iter.Seq2[Erratum, error] {
	q := url.Values{}
	if org != 0 {
		q.Set("organization_id", strconv.FormatInt(org, 10))
	}
	if applicable {
		q.Set("errata_restrict_applicable", "true")
	} else {
		q.Set("errata_restrict_installable", "true")
	}
	if server.Can(Sorted) {
		q.Set("sort_by", "errata_id")
		q.Set("sort_order", "asc")
	}
	return walk(ctx, "errata of "+c.base.Host, per, ahead, plain[Erratum], c.pages(callErrata, nil, q, per))
}

// whole reads a Katello list of one host in one answer.
func whole[T any](ctx context.Context, c *Client, e *Call, host int64, query url.Values) ([]T, error) {
	q := maps.Clone(query)
	if q == nil {
		q = url.Values{}
	}
	q.Set("full_result", "true")
	args := []string{strconv.FormatInt(host, 10)}
	var page Page[T]
	if err := c.call(ctx, e, args, q, nil, &page); err != nil {
		return nil, err
	}
	if page.Problem != "" {
		return nil, c.problem(e, args, page.Problem)
	}
	if !page.Subtotal.Valid || int64(len(page.Results)) >= page.Subtotal.N {
		return page.Results, nil
	}
	return gather(walk(ctx, e.expand(args), pageSize, 1, plain[T], c.pages(e, args, query, pageSize))) // full_result was not known
}

// pageSize is for lists that are read as a whole.
const pageSize = 1000

// gather reads a whole sequence.
func gather[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// HostErrata returns the errata that are installable on one host; with
// applicable, all that concern it, each saying whether it is installable.
func (c *Client) HostErrata(ctx context.Context, host int64, applicable bool) ([]Erratum, error) {
	q := url.Values{}
	if applicable {
		q.Set("include_applicable", "true")
	}
	return whole[Erratum](ctx, c, callHostErrata, host, q)
}

// A Package is an installed package of an RPM host.
type Package struct {
	NEVRA      text    `json:"nvrea"`
	NVRA       text    `json:"nvra"`
	Upgradable Offered `json:"upgradable_versions"` // newer ones on offer, since Katello 4.7
}

// Packages returns the installed packages of an RPM host.
func (c *Client) Packages(ctx context.Context, host int64, upgradable bool) ([]Package, error) {
	return whole[Package](ctx, c, callPackages, host, latest(upgradable))
}

func latest(upgradable bool) url.Values {
	if upgradable {
		return url.Values{"include_latest_upgradable": {"true"}}
	}
	return nil
}

// A Deb is an installed package of a Debian host.
type Deb struct {
	Name         text    `json:"name"`
	Version      text    `json:"version"`
	Architecture text    `json:"architecture"`
	Upgradable   Offered `json:"upgradable_versions"`
}

// Debs returns the installed packages of a Debian host.
func (c *Client) Debs(ctx context.Context, host int64, upgradable bool) ([]Deb, error) {
	return whole[Deb](ctx, c, callDebs, host, latest(upgradable))
}

// A Trace is a process of a host that still uses replaced files.
type Trace struct {
	Host        text   `json:"host"`
	HostID      number `json:"host_id"`
	Application text   `json:"application"`
	Helper      text   `json:"helper"`
	Type        text   `json:"app_type"` // "daemon", "session", "static"
	Reboot      *flag  `json:"reboot_required"`
}

// NeedsReboot reports whether only a reboot helps; old versions say so by the
// type alone.
func (t Trace) NeedsReboot() bool {
	if t.Reboot != nil {
		return bool(*t.Reboot)
	}
	return t.Type == "static"
}

// Traces returns the traces of one host.
func (c *Client) Traces(ctx context.Context, host int64) ([]Trace, error) {
	return whole[Trace](ctx, c, callTraces, host, nil)
}
