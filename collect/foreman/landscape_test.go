package foreman_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
)

// serve starts a simulated Foreman: a fake, made from recorded answers.
func serve(t testing.TB, o landscape.Options) (*landscape.Server, foreman.Options) {
	t.Helper()
	l := landscape.New(o)
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	return l, foreman.Options{Name: "satellite", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}, Pause: 1, Now: l.Now}
}

func open(t testing.TB, o foreman.Options) *foreman.Collector {
	t.Helper()
	c, err := foreman.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContract(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 40, NoSelf: true})
	o.Packages, o.Applicable, o.Traces, o.PerPage = true, true, true, 7
	collecttest.Run(t, collecttest.Case{
		New:   func(t *testing.T) collect.Collector { return open(t, o) },
		Hosts: 40,
	})
}
