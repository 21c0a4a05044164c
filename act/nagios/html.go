package nagios

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
	"github.com/stdevel/katprep/internal/nagioscgi"
)

// An htmlReader reads the pages for people, as Nagios 3 has no others.
type htmlReader struct{ cgi *nagioscgi.Client }

var (
	versionText = regexp.MustCompile(`Nagios(?:&reg;|®)?(?: Core)?(?:&trade;|™)? ([0-9][0-9A-Za-z.]*)`)
	loggedIn    = regexp.MustCompile(`Logged in as <i>([^<]*)</i>`)
)

// deadCore is what every page says when the core does not run; a command
// would wait for a reader.
const deadCore = "Monitoring process may not be running"

func (r htmlReader) page(ctx context.Context, cgi string, q url.Values) (string, error) {
	resp, err := r.cgi.Get(ctx, cgi, q)
	if err != nil {
		return "", err
	}
	page := string(resp.Body)
	if err := r.cgi.Complaint(page); err != nil {
		return "", err
	}
	if !versionText.MatchString(page) {
		return "", katprep.Errorf(katprep.Corrupt, "%s at %s is no page of Nagios", cgi, r.cgi.Base()).WithHint("check type and URL of the system")
	}
	return page, nil
}

func (r htmlReader) hostPage(ctx context.Context) (string, error) {
	return r.page(ctx, "status.cgi", url.Values{"hostgroup": {"all"}, "style": {"hostdetail"}, "limit": {"0"}})
}

func (r htmlReader) running(ctx context.Context) (program, error) {
	page, err := r.hostPage(ctx)
	if err != nil {
		return program{}, err
	}
	if strings.Contains(page, deadCore) {
		return program{}, katprep.Errorf(katprep.Unreachable, "Nagios at %s says that its core does not run", r.cgi.Base())
	}
	p := program{Version: versionText.FindStringSubmatch(page)[1]}
	if m := loggedIn.FindStringSubmatch(page); m != nil {
		p.user = m[1]
	}
	return p, nil
}

func (r htmlReader) hosts(ctx context.Context) ([]shown, error) {
	page, err := r.hostPage(ctx)
	if err != nil {
		return nil, err
	}
	return statusPage(page)
}

// objects lists hosts without their groups.
func (r htmlReader) objects(ctx context.Context) ([]act.Object, error) {
	hosts, err := r.hosts(ctx)
	if err != nil {
		return nil, err
	}
	var objects []act.Object
	for _, h := range hosts {
		if h.state == "" {
			continue
		}
		o := act.Object{Name: h.host}
		if _, err := netip.ParseAddr(h.address); err == nil {
			o.IPs = []string{h.address}
		}
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return cmp.Compare(a.Name, b.Name) })
	return objects, nil
}

func (r htmlReader) find(ctx context.Context, ts []act.Target) []downtime.Found {
	objects, err := r.objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

// serviceList reads the services of one host, or of all.
func (r htmlReader) serviceList(ctx context.Context, hosts []string) ([]shown, error) {
	q := url.Values{"host": {"all"}, "style": {"detail"}, "limit": {"0"}}
	if len(hosts) == 1 {
		q.Set("host", hosts[0])
	}
	page, err := r.page(ctx, "status.cgi", q)
	if err != nil {
		return nil, err
	}
	list, err := statusPage(page)
	return slices.DeleteFunc(list, func(s shown) bool { return s.service == "" }), err
}

func (r htmlReader) services(ctx context.Context, hosts []string) (map[string][]string, error) {
	list, err := r.serviceList(ctx, hosts)
	if err != nil {
		return nil, err
	}
	by := map[string][]string{}
	for _, s := range list {
		by[s.host] = append(by[s.host], s.service)
	}
	for _, names := range by {
		slices.Sort(names)
	}
	return by, nil
}

// entries lists downtimes. The page does not say which are in effect: those
// whose time has come and whose host or service is marked.
func (r htmlReader) entries(ctx context.Context, hosts []string, format string) ([]downtime.Entry, error) {
	marked := map[[2]string]bool{}
	list, err := r.hosts(ctx)
	if err != nil {
		return nil, err
	}
	services, err := r.serviceList(ctx, hosts)
	if err != nil {
		return nil, err
	}
	for _, s := range append(list, services...) {
		marked[[2]string{s.host, s.service}] = s.down
	}
	f, err := r.cgi.Form(ctx, nagioscgi.ScheduleHost, hosts[0])
	if err != nil {
		return nil, err
	}
	clock, err := nagioscgi.Detect(f.Now, format, time.Now())
	if err != nil {
		return nil, err
	}
	page, err := r.page(ctx, "extinfo.cgi", url.Values{"type": {"6"}})
	if err != nil {
		return nil, err
	}
	es, err := downtimePage(page, clock)
	now := time.Now()
	for i, e := range es {
		es[i].InEffect = !e.Start.After(now) && e.End.After(now) && marked[[2]string{e.Host, e.Service}]
	}
	return es, err
}

func (r htmlReader) health(ctx context.Context, t act.Target, host string) (act.Health, error) {
	hosts, err := r.hosts(ctx)
	if err != nil {
		return act.Health{}, err
	}
	i := slices.IndexFunc(hosts, func(s shown) bool { return s.host == host && s.state != "" })
	if i < 0 {
		return act.Health{}, downtime.Unknown(t)
	}
	services, err := r.serviceList(ctx, []string{host})
	if err != nil {
		return act.Health{}, err
	}
	h := act.Health{At: time.Now().UTC(), Host: hosts[i].check()}
	for _, s := range services {
		if s.host == host {
			h.Services = append(h.Services, s.check())
		}
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return strings.Compare(a.Name, b.Name) })
	return h, nil
}
