package foremanapi

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/stdevel/katprep"
)

// A Host is what katprep reads of a host; nothing else of an answer is kept,
// since answers can hold secrets. Absent, null and empty are the same unless
// a field says otherwise.
type Host struct {
	ID              number           `json:"id"`
	Name            text             `json:"name"`
	IP              text             `json:"ip"`
	IP6             text             `json:"ip6"`
	MAC             text             `json:"mac"`
	Architecture    text             `json:"architecture_name"`
	OS              text             `json:"operatingsystem_name"`
	Comment         text             `json:"comment"`
	OwnerID         number           `json:"owner_id"`
	OwnerName       text             `json:"owner_name"`
	OwnerType       text             `json:"owner_type"`
	ComputeResource text             `json:"compute_resource_name"`
	UUID            text             `json:"uuid"`
	OrganizationID  number           `json:"organization_id"`
	Organization    text             `json:"organization_name"`
	LocationID      number           `json:"location_id"`
	Location        text             `json:"location_name"`
	HostGroup       text             `json:"hostgroup_title"`
	Model           text             `json:"model_name"`
	ErrataStatus    number           `json:"errata_status"`
	ErrataLabel     text             `json:"errata_status_label"`
	TracesStatus    number           `json:"traces_status"`
	TracesLabel     text             `json:"traces_status_label"`
	Content         object[Content]  `json:"content_facet_attributes"`
	Subscription    object[Subs]     `json:"subscription_facet_attributes"`
	Reported        object[Reported] `json:"reported_data"`
	Infrastructure  object[Infra]    `json:"infrastructure_facet"`
	Parameters      list[Parameter]  `json:"parameters"`
	AllParameters   list[Parameter]  `json:"all_parameters"`
}

// Content is a host's content facet; a host without one is not registered.
type Content struct {
	UUID            text           `json:"uuid"`
	Counts          object[Counts] `json:"errata_counts"`
	View            object[Named]  `json:"content_view"`
	ViewID          number         `json:"content_view_id"`
	ViewName        text           `json:"content_view_name"`
	Environment     object[Named]  `json:"lifecycle_environment"`
	EnvironmentID   number         `json:"lifecycle_environment_id"`
	EnvironmentName text           `json:"lifecycle_environment_name"`
	Environments    list[struct {
		View        object[Named] `json:"content_view"`
		Environment object[Named] `json:"lifecycle_environment"`
	}] `json:"content_view_environments"`
}

// Named is a reference to another record.
type Named struct {
	ID    number `json:"id"`
	Name  text   `json:"name"`
	Title text   `json:"title"`
}

// Counts are the errata of a host as its content facet counts them:
// installable ones, and since Katello 4.7 applicable ones as well.
type Counts struct {
	Total      number `json:"total"`
	Applicable object[struct {
		Total number `json:"total"`
	}] `json:"applicable"`
}

// Subs is a host's subscription facet.
type Subs struct {
	LastCheckin text          `json:"last_checkin"`
	VirtualHost object[Named] `json:"virtual_host"`
	Hypervisor  flag          `json:"hypervisor"`
}

// Reported is what the host's facts say, since Foreman 3.3.
type Reported struct {
	BootTime text  `json:"boot_time"`
	Kernel   text  `json:"kernel_version"`
	Virtual  *flag `json:"virtual"`
}

// Infra says whether a host is the Foreman itself.
type Infra struct {
	ForemanInstance flag `json:"foreman_instance"`
}

// A Parameter is a host parameter, own or inherited.
type Parameter struct {
	ID         number          `json:"id"`
	Name       text            `json:"name"`
	Value      json.RawMessage `json:"value"`
	Type       text            `json:"parameter_type"`
	Associated text            `json:"associated_type"`
	Priority   number          `json:"priority"`
	Hidden     flag            `json:"hidden_value?"`
}

// A HostQuery says which hosts, in Foreman's search language.
type HostQuery struct {
	Search     string
	PerPage    int
	Ahead      int  // pages read at once
	Parameters bool // ask for parameters, own and inherited

	Organization, Location int64 // only hosts in these, by ID; 0: all
}

// A HostRecord is a host, or why its record could not be read.
type HostRecord struct {
	Host Host
	Err  error
}

// Hosts yields each host once, by name, with its own and inherited
// parameters. An error ends it: the list is not complete.
func (c *Client) Hosts(ctx context.Context, q HostQuery) iter.Seq2[HostRecord, error] {
	query := url.Values{"order": {"name ASC"}}
	if q.Parameters {
		query["include[]"] = []string{"all_parameters"}
	}
	if q.Search != "" {
		query.Set("search", q.Search)
	}
	if q.Organization != 0 {
		query.Set("organization_id", strconv.FormatInt(q.Organization, 10))
	}
	if q.Location != 0 {
		query.Set("location_id", strconv.FormatInt(q.Location, 10))
	}
	return walk(ctx, "hosts of "+c.base.Host, q.PerPage, q.Ahead, hostRecord, c.pages(callHosts, nil, query, q.PerPage))
}

// hostRecord keeps a record that cannot be read: it is a host all the same.
func hostRecord(raw json.RawMessage) record[HostRecord] {
	r := record[HostRecord]{v: decodeHost(raw)}
	if r.v.Err == nil && r.v.Host.ID.Valid {
		r.key = strconv.FormatInt(r.v.Host.ID.N, 10)
	} else {
		r.key = recordID(raw)
	}
	return r
}

// HostFacts returns facts of one host by name; search narrows them ("" for
// all).
func (c *Client) HostFacts(ctx context.Context, host int64, search string) (map[string]string, error) {
	facts := map[string]string{}
	args := []string{strconv.FormatInt(host, 10)}
	for n := 1; n <= 100; n++ {
		q := url.Values{"page": {strconv.Itoa(n)}, "per_page": {"1000"}}
		if search != "" {
			q.Set("search", search)
		}
		page, err := c.factPage(ctx, callHostFacts, args, q)
		if err != nil {
			return nil, err
		}
		before := len(facts)
		for _, values := range page {
			for name, v := range values {
				facts[name] = string(v)
			}
		}
		if len(facts) == before {
			return facts, nil
		}
	}
	return nil, katprep.Errorf(katprep.Corrupt, "facts of host %d: no end", host)
}

// factPage is one page of facts by host name; an empty one is [] in some
// versions.
func (c *Client) factPage(ctx context.Context, e *Call, args []string, q url.Values) (map[string]map[string]text, error) {
	var page struct {
		Results object[map[string]map[string]text] `json:"results"`
	}
	if err := c.call(ctx, e, args, q, nil, &page); err != nil {
		return nil, err
	}
	return page.Results.V, nil
}

// CountHosts returns how many hosts the search finds.
func (c *Client) CountHosts(ctx context.Context, search string) (int, error) {
	q := url.Values{"search": {search}, "per_page": {"1"}, "page": {"1"}}
	page, err := c.page(ctx, callHosts, nil, q, nil)
	if err != nil {
		return 0, err
	}
	return int(page.Subtotal.N), nil
}

func decodeHost(raw json.RawMessage) HostRecord {
	var r HostRecord
	if err := json.Unmarshal(raw, &r.Host); err != nil {
		r.Err = katprep.Errorf(katprep.Corrupt, "record of host %q is not what was expected: %w", oneLine(string(r.Host.Name), 80), err)
	}
	return r
}

// CanSeeParameters asks for one host's parameters by themselves: without the
// permission, the list of hosts shows none and says nothing.
func (c *Client) CanSeeParameters(ctx context.Context, host int64) error {
	err := c.call(ctx, callParams, []string{strconv.FormatInt(host, 10)}, url.Values{"per_page": {"1"}}, nil, nil)
	if err != nil && StatusOf(err) == 404 {
		return nil // the host went away: nothing is said about permissions
	}
	return err
}

// Facts returns facts of all hosts that have them, by host name and fact. The
// numbers that such a list announces cannot be relied on: it ends with a page
// that brings nothing new.
func (c *Client) Facts(ctx context.Context, per int, facts ...string) (map[string]map[string]string, error) {
	var terms []string
	for _, f := range facts {
		terms = append(terms, Equal("name", f))
	}
	all, values := map[string]map[string]string{}, 0
	for n := 1; n <= 10_000; n++ {
		q := url.Values{"search": {Any(terms...)}, "page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(per)}}
		page, err := c.factPage(ctx, callFacts, nil, q)
		if err != nil {
			return nil, err
		}
		before := values
		for host, of := range page {
			if all[host] == nil {
				all[host] = map[string]string{}
			}
			for name, v := range of {
				if _, known := all[host][name]; !known {
					values++
				}
				all[host][name] = string(v)
			}
		}
		if values == before {
			return all, nil
		}
	}
	return nil, katprep.Errorf(katprep.Corrupt, "facts of %s: no end", c.base.Host)
}

// SetOwner fills the owner's name in where the server gave only an ID.
func (h *Host) SetOwner(name string) { h.OwnerName = text(name) }
