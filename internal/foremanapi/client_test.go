package foremanapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
)

// A fake answers like Foreman; only for what a real one is needed for, which
// cannot run here. Its answers have the recorded shapes.
type fake struct {
	mux       *http.ServeMux
	requests  atomic.Int64
	passwords atomic.Int64 // requests with a password

	mu      sync.Mutex
	session string // valid one
	made    int
}

func newFake(t *testing.T) (*fake, *Client) {
	t.Helper()
	f := &fake{mux: http.NewServeMux()}
	f.json("GET /api/status", `{"result":"ok","status":200,"version":"3.12.0.1","api_version":2,"satellite_version":"6.16.0"}`)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	c, err := New(Options{URL: srv.URL + "/", Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}, HTTP: httpx.Options{Pause: 1, Retries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func (f *fake) json(pattern, body string) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
}

func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = ""
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	if !f.enter(w, r) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"message":"Unable to authenticate user admin"}}`)
		return
	}
	f.mux.ServeHTTP(w, r)
}

func (f *fake) enter(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, err := r.Cookie("_session_id"); err == nil && c.Value == f.session && f.session != "" {
		return true
	}
	user, password, given := r.BasicAuth()
	if given {
		f.passwords.Add(1)
	}
	if user != "admin" || password != "changeme" {
		return false
	}
	f.made++
	f.session = fmt.Sprintf("session-%d", f.made)
	http.SetCookie(w, &http.Cookie{Name: "_session_id", Value: f.session, Path: "/", HttpOnly: true})
	return true
}

func TestOnePasswordForAll(t *testing.T) {
	f, c := newFake(t)
	f.json("GET /api/hosts/{id}/parameters", `{"results":[]}`)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := c.CanSeeParameters(t.Context(), int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.passwords.Load() != 1 || f.requests.Load() != 21 {
		t.Errorf("%d passwords in %d requests", f.passwords.Load(), f.requests.Load())
	}
}

func TestSessionEnds(t *testing.T) {
	f, c := newFake(t)
	f.json("GET /api/hosts/{id}/parameters", `{"results":[]}`)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.expire()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := c.CanSeeParameters(t.Context(), int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.passwords.Load() != 2 {
		t.Errorf("%d passwords", f.passwords.Load())
	}
}

// TestRefusedOnce: 30 failures lock the account's address out.
func TestRefusedOnce(t *testing.T) {
	f, c := newFake(t)
	c.login.Password = creds.NewSecret("expired")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			err := c.CanSeeParameters(t.Context(), int64(i))
			if katprep.KindOf(err) != katprep.Denied || !strings.Contains(err.Error(), "Unable to authenticate user admin") {
				t.Errorf("error is %v", err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, katprep.HintOf(err)), "expired") {
				t.Error("the password shows")
			}
		})
	}
	wg.Wait()
	if f.requests.Load() != 1 {
		t.Errorf("%d requests after a refused login", f.requests.Load())
	}
	if c.Refused() == nil {
		t.Error("the refusal is forgotten")
	}
}

// TestSessionsThatDoNotHold: several servers behind one name, each with its
// own sessions. The password is right, so the run goes on.
func TestSessionsThatDoNotHold(t *testing.T) {
	f, c := newFake(t)
	f.mux.HandleFunc("GET /api/hosts/{id}/parameters", func(w http.ResponseWriter, _ *http.Request) {
		f.expire()
		_, _ = io.WriteString(w, `{"results":[]}`)
	})
	for i := range 10 {
		if err := c.CanSeeParameters(t.Context(), int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	c.login.Password = creds.NewSecret("changed")
	before := f.requests.Load()
	for i := range 10 {
		if err := c.CanSeeParameters(t.Context(), int64(i)); katprep.KindOf(err) != katprep.Denied {
			t.Errorf("error is %v", err)
		}
	}
	if n := f.requests.Load() - before; n > 2 {
		t.Errorf("%d requests after the password was changed", n)
	}
}

// TestRefusedInTheMiddle: the password was changed while a run goes on.
func TestRefusedInTheMiddle(t *testing.T) {
	f, c := newFake(t)
	f.json("GET /api/hosts/{id}/parameters", `{"results":[]}`)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.expire()
	c.login.Password = creds.NewSecret("old")
	for i := range 10 {
		if err := c.CanSeeParameters(t.Context(), int64(i)); katprep.KindOf(err) != katprep.Denied {
			t.Errorf("error is %v", err)
		}
	}
	if f.passwords.Load() != 2 || f.requests.Load() != 3 {
		t.Errorf("%d passwords, %d requests", f.passwords.Load(), f.requests.Load())
	}
}

func TestErrorBodies(t *testing.T) {
	for _, tc := range []struct {
		status  int
		body    string
		kind    katprep.Kind
		message string
		hint    string
	}{
		{400, `{"error":{"message":"Field 'x' not recognized for searching!","class":"ScopedSearch::QueryNotSupported"}}`, katprep.Invalid, "Field 'x' not recognized", ""},
		{400, `{"status":400,"error":"There was a problem in the JSON you submitted: x"}`, katprep.Invalid, "There was a problem in the JSON", ""},
		{400, `{"displayMessage":"No hosts have been specified.","errors":["No hosts have been specified."]}`, katprep.Invalid, "No hosts have been specified", ""},
		{403, `{"error":{"message":"Access denied","details":"Missing one of the required permissions: edit_hosts","missing_permissions":["edit_hosts"]}}`, katprep.Denied, "Missing one of the required permissions: edit_hosts", "give the user's role: edit_hosts"},
		{404, `{"error":{"message":"Resource host not found by id 'x'"}}`, katprep.NotFound, "Resource host not found by id 'x'", ""},
		{404, `{"message":"Organization with id 99 not found"}`, katprep.NotFound, "Organization with id 99 not found", ""},
		{404, `{"displayMessage":"Could not find the host","errors":["Could not find the host"]}`, katprep.NotFound, "Could not find the host", ""},
		{404, `<!DOCTYPE html><html><head><title>x</title></head><body><h1>Page not found</h1></body></html>`, katprep.NotFound, "Page not found", "plugin katello"},
		{422, `{"error":{"id":null,"errors":{"name":["has already been taken"]},"full_messages":["Name has already been taken"]}}`, katprep.Invalid, "Name has already been taken", ""},
		{422, `{"error":"Unknown power action: xyz"}`, katprep.Invalid, "Unknown power action: xyz", ""},
		{422, `{"error":{"message":"sorry"}}`, katprep.Invalid, "sorry", ""},
		{500, `{"error":{"message":"Internal Server Error: the server was unable to finish the request."}}`, katprep.Unreachable, "unable to finish", ""},
		{500, `{"message":"ERF42-1234 [Foreman::Exception]: broken"}`, katprep.Unreachable, "ERF42-1234", ""},
		{500, `{"message":"new","errors":["new"]}`, katprep.Unreachable, "new", ""},
		{500, `{"errors":["only here"]}`, katprep.Unreachable, "only here", ""},
		{503, `<html><head><style>h1{}</style></head><body><h1>Service Unavailable</h1>&amp; more</body></html>`, katprep.Unreachable, "Service Unavailable & more", "try again later"},
		{500, ``, katprep.Unreachable, "500 Internal Server Error", ""},
		{500, `null`, katprep.Unreachable, "500 Internal Server Error", ""},
		{500, "{\"error\":{\"message\":\"two\\nlines \\u001b[31mred\"}}", katprep.Unreachable, "two lines [31mred", ""},
	} {
		t.Run(tc.message, func(t *testing.T) {
			f, c := newFake(t)
			f.mux.HandleFunc("GET /api/hosts/{id}/errata", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Request-Id", "4711-abc")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := c.HostErrata(t.Context(), 5, false)
			if katprep.KindOf(err) != tc.kind || StatusOf(err) != tc.status {
				t.Errorf("kind %d, status %d: %v", katprep.KindOf(err), StatusOf(err), err)
			}
			for _, want := range []string{tc.message, "GET /api/hosts/5/errata", "request 4711-abc"} {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if !strings.Contains(katprep.HintOf(err), tc.hint) {
				t.Errorf("hint is %q", katprep.HintOf(err))
			}
			if strings.ContainsAny(fmt.Sprint(err), "\n\x1b") {
				t.Errorf("error has control characters: %q", err)
			}
		})
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, contentType, body, want, hint string
	}{
		{"proxy with HTML", "text/html", "<html><body>Please log in to the proxy</body></html>", "Please log in to the proxy", "proxy"},
		{"empty", "application/json", "", "the answer is empty", ""},
		{"truncated JSON", "application/json", `{"total":3,"results":[{"id":1,"errata_id":"RH`, "not what was expected", ""},
		{"a list", "application/json", `[1,2]`, "not what was expected", ""},
		{"invalid search", "application/json", `{"error":"Unknown operator !!","results":[],"total":0,"subtotal":0}`, "Unknown operator !!", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, c := newFake(t)
			f.mux.HandleFunc("GET /api/hosts/{id}/errata", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := c.HostErrata(t.Context(), 5, false)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(katprep.HintOf(err), tc.hint) {
				t.Errorf("error %v, hint %q", err, katprep.HintOf(err))
			}
		})
	}
}

func TestNothingUnlistedIsSent(t *testing.T) {
	f, c := newFake(t)
	err := c.call(t.Context(), callHosts, nil, map[string][]string{"serach": {"x"}}, nil, nil)
	if katprep.KindOf(err) != katprep.Internal || f.requests.Load() != 0 {
		t.Errorf("error %v after %d requests", err, f.requests.Load())
	}
	err = c.call(t.Context(), callInstallable, nil, nil, map[string]any{"included": map[string]any{"query": ""}}, nil)
	if katprep.KindOf(err) != katprep.Internal || f.requests.Load() != 0 {
		t.Errorf("error %v after %d requests", err, f.requests.Load())
	}
}

// TestNothingNewIsSentToOldServers: a guard that a caller forgot is an error,
// not a parameter that the server ignores.
func TestNothingNewIsSentToOldServers(t *testing.T) {
	f, c := newFake(t)
	f.json("GET /api/plugins", `{"results":[{"name":"katello","version":"3.4.0"}]}`)
	if _, err := c.Server(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := f.requests.Load()
	if _, err := c.HostErrata(t.Context(), 1, true); katprep.KindOf(err) != katprep.Internal {
		t.Errorf("error is %v", err)
	}
	if _, err := c.Traces(t.Context(), 1); katprep.KindOf(err) != katprep.NotFound || !strings.Contains(err.Error(), "Katello 3.4.0 has no traces") {
		t.Errorf("error is %v", err)
	}
	if f.requests.Load() != before {
		t.Errorf("%d requests", f.requests.Load()-before)
	}
}

// A moving list is one whose records come and go while it is read.
type moving struct {
	ids    []int
	asked  int
	before func(asked int) // called with the number of the request
}

func (m *moving) handler(w http.ResponseWriter, r *http.Request) {
	m.asked++
	if m.before != nil {
		m.before(m.asked)
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	from := min((page-1)*per, len(m.ids))
	results := []map[string]any{}
	for _, id := range m.ids[from:min(from+per, len(m.ids))] {
		results = append(results, map[string]any{"id": id, "name": fmt.Sprintf("host%d.example.com", id)})
	}
	// Katello's way: numbers as text
	_ = json.NewEncoder(w).Encode(map[string]any{"total": 99, "subtotal": strconv.Itoa(len(m.ids)), "page": strconv.Itoa(page), "per_page": strconv.Itoa(per), "results": results})
}

func numbers(n int) (ids []int) {
	for i := range n {
		ids = append(ids, i+1)
	}
	return ids
}

func TestPaging(t *testing.T) {
	for _, tc := range []struct {
		name   string
		n      int
		before func(m *moving) func(asked int)
		must   []int // IDs that must be there
		asked  int   // requests; 0: any number
	}{
		{"empty", 0, nil, nil, 1},
		{"one page", 3, nil, numbers(3), 1},
		{"full pages", 20, nil, numbers(20), 2},
		{"1337 hosts", 1337, nil, numbers(1337), 134},
		{"shrinks", 40, func(m *moving) func(int) {
			return func(asked int) {
				if asked == 2 {
					m.ids = m.ids[1:] // a host of page 1 goes: the border moves
				}
			}
		}, numbers(40)[1:], 8},
		{"grows", 40, func(m *moving) func(int) {
			return func(asked int) {
				if asked == 3 {
					m.ids = append([]int{1000}, m.ids...)
				}
			}
		}, append(numbers(40), 1000), 9}, // 4 pages, then 5
		{"one goes, one comes", 40, func(m *moving) func(int) {
			return func(asked int) {
				if asked == 2 {
					m.ids = append(append([]int{2000}, m.ids[:35]...), m.ids[36:]...)
				}
			}
		}, append(numbers(35), 37, 38, 39, 40), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, c := newFake(t)
			m := &moving{ids: numbers(tc.n)}
			if tc.before != nil {
				m.before = tc.before(m)
			}
			f.mux.HandleFunc("GET /api/hosts", m.handler)
			seen := map[int64]int{}
			for rec, err := range c.Hosts(t.Context(), HostQuery{PerPage: 10, Ahead: 1}) {
				if err != nil {
					t.Fatal(err)
				}
				seen[rec.Host.ID.N]++
			}
			for _, id := range tc.must {
				if seen[int64(id)] != 1 {
					t.Errorf("host %d was seen %d times", id, seen[int64(id)])
				}
			}
			if tc.asked != 0 && m.asked != tc.asked {
				t.Errorf("%d requests, want %d", m.asked, tc.asked)
			}
		})
	}
}

func TestListThatNeverHoldsStill(t *testing.T) {
	f, c := newFake(t)
	m := &moving{ids: numbers(40)}
	m.before = func(asked int) { m.ids = append(m.ids, 1000+asked) }
	f.mux.HandleFunc("GET /api/hosts", m.handler)
	n, last := 0, error(nil)
	for _, err := range c.Hosts(t.Context(), HostQuery{PerPage: 10, Ahead: 1}) {
		if last = err; err == nil {
			n++
		}
	}
	if n < 40 || katprep.KindOf(last) != katprep.Partial {
		t.Errorf("%d hosts, then %v", n, last)
	}
}

func TestPagesAreReadAhead(t *testing.T) {
	f, c := newFake(t)
	var mu sync.Mutex
	m := &moving{ids: numbers(200)}
	f.mux.HandleFunc("GET /api/hosts", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		m.handler(w, r)
	})
	want := int64(1)
	for rec, err := range c.Hosts(t.Context(), HostQuery{PerPage: 10, Ahead: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Host.ID.N != want {
			t.Fatalf("host %d came in the place of %d", rec.Host.ID.N, want)
		}
		if want++; want == 100 {
			break // leaving early must not hang or leak
		}
	}
}

func TestBadURL(t *testing.T) {
	for _, u := range []string{"", "satellite.example.com", "ftp://x", "https://", "https://admin:secret@satellite.example.com", "https://[::1"} {
		_, err := New(Options{URL: u})
		if katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
			t.Errorf("%q: %v", u, err)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%v shows the password", err)
		}
	}
}

func TestBasePath(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		_, _ = io.WriteString(w, `{"version":"3.9.1"}`)
	}))
	defer srv.Close()
	c, err := New(Options{URL: srv.URL + "/foreman/"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context()); err != nil || got != "/foreman/api/status" {
		t.Errorf("asked for %q: %v", got, err)
	}
	if p := callHostErrata.expand([]string{"../a b"}); p != "/api/hosts/..%2Fa%20b/errata" {
		t.Errorf("path is %q", p)
	}
}
