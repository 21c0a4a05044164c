package foreman_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
)

// The list of hosts alone has facts and parameters of the selected ones, in
// one request a page.
func TestHostsWithoutReadingThem(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 120})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := foreman.New(foreman.Options{Name: "sat", URL: srv.URL, PerPage: 50, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for h, err := range c.Hosts(t.Context(), katprep.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		truth, ok := s.Truth(h.Name)
		if !ok || h.Facts.IP != truth.IP || len(h.Parameters) != len(truth.Parameters) || !h.Knows(katprep.AspectParameters) {
			t.Errorf("%s: %+v, truth %+v", h.Name, h, truth)
		}
		n++
	}
	if n != 120 {
		t.Errorf("%d hosts", n)
	}
	if c.Requests() > 10 {
		t.Errorf("%d requests for three pages", c.Requests())
	}
	for _, err := range c.Hosts(t.Context(), katprep.Selection{Hosts: []string{"nobody.example.com"}}) {
		if katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("unknown host: %v", err)
		}
	}
}
