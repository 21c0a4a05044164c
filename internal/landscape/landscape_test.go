package landscape_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/landscape"
)

// A client talks to a landscape over real HTTP.
type client struct {
	t    testing.TB
	url  string
	http *http.Client
	user string
}

func serve(t testing.TB, s *landscape.Server) *client {
	t.Helper()
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, ts.URL, &http.Client{Jar: jar}, "admin:changeme"}
}

type object = map[string]any

// do sends a request and decodes the JSON answer.
func (c *client) do(method, path string, body any) (int, object) {
	c.t.Helper()
	status, b := c.raw(method, path, body)
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		c.t.Fatalf("%s %s: %v in %.300s", method, path, err, b)
	}
	return status, o
}

func (c *client) raw(method, path string, body any) (int, []byte) {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = strings.NewReader(string(b))
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	user, password, _ := strings.Cut(c.user, ":")
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, b
}

func (c *client) get(path string) object {
	c.t.Helper()
	status, o := c.do("GET", path, nil)
	if status != 200 {
		c.t.Fatalf("GET %s: %d %v", path, status, o)
	}
	return o
}

func results(o object) []object {
	list, _ := o["results"].([]any)
	out := make([]object, len(list))
	for i, v := range list {
		out[i], _ = v.(object)
	}
	return out
}

func TestHostsErrataPackages(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 120})
	c := serve(t, s)
	list := c.get("/api/hosts?per_page=50&page=3&include[]=parameters")
	if list["subtotal"] != 121.0 || list["total"] != 121.0 || len(results(list)) != 21 {
		t.Fatalf("third page: total %v, subtotal %v, %d results", list["total"], list["subtotal"], len(results(list)))
	}
	withErrata := 0
	for _, h := range results(list) {
		facet, ok := h["content_facet_attributes"].(object)
		if !ok {
			t.Fatalf("%v has no content facet", h["name"])
		}
		want := facet["errata_counts"].(object)["total"]
		errata := c.get("/api/hosts/" + h["name"].(string) + "/errata?full_result=true")
		if errata["subtotal"] != want || len(results(errata)) != int(want.(float64)) {
			t.Errorf("%v: %v errata counted, %v listed", h["name"], want, errata["subtotal"])
		}
		withErrata += len(results(errata))
		kind := "/packages"
		if strings.HasPrefix(h["operatingsystem_name"].(string), "Debian") {
			kind = "/debs"
		}
		if n := len(results(c.get("/api/hosts/" + h["name"].(string) + kind + "?full_result=true"))); n < 80 {
			t.Errorf("%v has %d packages", h["name"], n)
		}
	}
	if withErrata == 0 {
		t.Error("no host has errata")
	}
}
