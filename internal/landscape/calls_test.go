package landscape_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/landscape"
)

// Everything that katprep's client can ask of a Foreman is answered here: a
// path that the landscape does not know gives Rails' page for it.
func TestEveryCallIsAnswered(t *testing.T) {
	for _, katello := range []string{"4.14.0.1", "4.9.0"} {
		s := landscape.New(landscape.Options{Hosts: 5, Katello: katello})
		c := serve(t, s)
		c.templateJob("Run Command - Script Default", "name ~ .", object{"command": "true"})
		truth, _ := s.Truth(s.Names()[0])
		for _, call := range foremanapi.Calls() {
			if call.Since == foremanapi.Agent && katello != "4.9.0" {
				continue
			}
			parts := strings.Split(call.Path, "/")
			for i, p := range parts {
				switch {
				case p == ":host_id" || p == ":id" && parts[i-1] == "hosts":
					parts[i] = fmt.Sprint(truth.ID)
				case strings.HasPrefix(p, ":"):
					parts[i] = "1"
				}
			}
			_, b := c.raw(call.Method, strings.Join(parts, "/"), nil)
			if bytes.Contains(b, []byte("The page you were looking for doesn't exist")) {
				t.Errorf("Katello %s: %s %s is not answered", katello, call.Method, call.Path)
			}
		}
	}
}
