package parameters_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/parameters"
)

// BenchmarkNothingToDo is what a run costs that changes nothing on ten
// thousand hosts: the list of hosts, and no request for any of them.
func BenchmarkNothingToDo(b *testing.B) {
	s := landscape.New(landscape.Options{Hosts: 10_000, NoSelf: true})
	s.SetGlobalParameter("katprep_mon", "icinga")
	srv := httptest.NewServer(s)
	b.Cleanup(srv.Close)
	c, err := foreman.New(foreman.Options{Name: "sat", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}})
	if err != nil {
		b.Fatal(err)
	}
	server, err := c.Server(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	wishes := parameters.Everywhere([]parameters.Wish{{Name: "katprep_mon", Value: "icinga", Mode: parameters.Set}})
	before := c.Requests()
	for b.Loop() {
		n := 0
		for ch, err := range parameters.Run(b.Context(), c.Hosts(b.Context(), katprep.Selection{}), wishes, parameters.Foreman{Client: c.Client(), Server: server}, parameters.Options{}) {
			if err != nil || ch.Changes() {
				b.Fatalf("%+v, %v", ch, err)
			}
			n++
		}
		if n != 10_000 {
			b.Fatalf("%d hosts", n)
		}
	}
	b.ReportMetric(float64(c.Requests()-before)/float64(b.N), "requests/op")
}
