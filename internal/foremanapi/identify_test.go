package foremanapi_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/landscape"
)

func dial(t *testing.T, l *landscape.Server, tls bool) *foremanapi.Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(l)
	if tls {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	o := foremanapi.Options{URL: srv.URL, Login: creds.Login{User: "reader", Password: creds.NewSecret("x")}}
	o.HTTP.Insecure = tls
	c, err := foremanapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentify(t *testing.T) {
	user := func(permissions ...string) landscape.Options {
		return landscape.Options{Hosts: 3, Packages: 10, Users: []landscape.User{{Login: "reader", Password: "x", Permissions: permissions}}}
	}
	id, err := dial(t, landscape.New(user("view_hosts", "view_params", "view_organizations", "view_hostgroups", "view_content_views")), true).IdentifyReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(id.Missing, []string{"view_facts", "view_locations"}) || id.User != "reader" || id.Product != "Satellite 6.16.0" || id.CertExpires.IsZero() {
		t.Errorf("%+v", id)
	}
	id, err = dial(t, landscape.New(user("view_hosts", "view_facts", "view_organizations", "view_hostgroups", "view_content_views", "view_locations")), false).IdentifyReader(t.Context())
	if err != nil || !slices.Equal(id.Missing, []string{"view_params"}) || !id.CertExpires.IsZero() {
		t.Errorf("%+v, %v", id, err)
	}
	id, err = dial(t, landscape.New(user("view_hosts", "view_job_templates")), false).IdentifyJobs(t.Context())
	if err != nil || !slices.Equal(id.Missing, []string{"view_job_invocations", "view_remote_execution_features"}) {
		t.Errorf("%+v, %v", id, err)
	}
	o := user("view_hosts")
	o.Plugins = []string{"katello"}
	id, err = dial(t, landscape.New(o), false).IdentifyJobs(t.Context())
	if err != nil || !slices.Equal(id.Missing, []string{"plugin foreman_remote_execution"}) {
		t.Errorf("%+v, %v", id, err)
	}
	if _, err = dial(t, landscape.New(landscape.Options{Hosts: 1, Packages: 10}), false).IdentifyJobs(t.Context()); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("error is %v", err)
	}
}
