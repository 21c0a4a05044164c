package httpx_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/httpx"
)

func client(t *testing.T, o httpx.Options) *httpx.Client {
	t.Helper()
	o.Pause = 1
	c, err := httpx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// script answers the n-th request with the n-th handler, the last one for
// ever.
func script(t *testing.T, hs ...http.HandlerFunc) (url string, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		hs[min(n, len(hs))-1](w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, count
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte("body"))
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("half"))
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestRepetition(t *testing.T) {
	for _, tc := range []struct {
		name   string
		first  http.HandlerFunc
		repeat bool
		sent   int64
		status int // 0: an error
	}{
		{"good answer", status(200), true, 1, 200},
		{"503 while Puma restarts", status(503), true, 2, 200},
		{"429 with Retry-After", status(429, "Retry-After", "0"), true, 2, 200},
		{"502", status(502), true, 2, 200},
		{"cut off", cutOff, true, 2, 200},
		{"connection closed", hangUp, true, 2, 200},
		{"500 is an answer", status(500), true, 1, 500},
		{"401 is final", status(401), true, 1, 401},
		{"403 is final", status(403), true, 1, 403},
		{"422 is final", status(422), true, 1, 422},
		{"what acts is not sent again", status(503), false, 1, 503},
		{"what acts is not sent again when cut off", cutOff, false, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, count := script(t, tc.first, status(200))
			resp, err := client(t, httpx.Options{}).Do(t.Context(), httpx.Request{Method: "GET", URL: url, Repeat: tc.repeat})
			if tc.status == 0 && katprep.KindOf(err) != katprep.Unreachable {
				t.Errorf("error is %v", err)
			}
			if tc.status != 0 && (err != nil || resp.Status != tc.status) {
				t.Errorf("got %v, %v", resp, err)
			}
			if count.Load() != tc.sent {
				t.Errorf("%d requests, want %d", count.Load(), tc.sent)
			}
		})
	}
}

func TestRepetitionEnds(t *testing.T) {
	url, count := script(t, status(503))
	resp, err := client(t, httpx.Options{Retries: 2}).Do(t.Context(), httpx.Request{Method: "GET", URL: url, Repeat: true})
	if err != nil || resp.Status != 503 || count.Load() != 3 {
		t.Fatalf("%v, %v after %d requests", resp, err, count.Load())
	}
}

// TestServerThatStaysDown: after some requests in vain, each is sent once;
// when the server is back, they are repeated again.
func TestServerThatStaysDown(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	url, count := script(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			status(503)(w, r)
		}
	})
	c := client(t, httpx.Options{Retries: 3})
	get := func() int64 {
		before := count.Load()
		if _, err := c.Do(t.Context(), httpx.Request{Method: "GET", URL: url, Repeat: true}); err != nil {
			t.Fatal(err)
		}
		return count.Load() - before
	}
	if n := get(); n != 4 {
		t.Errorf("the first is sent %d times", n)
	}
	for range 20 {
		get()
	}
	if n := get(); n != 1 {
		t.Errorf("the last is sent %d times", n)
	}
	down.Store(false)
	get()
	down.Store(true)
	if n := get(); n != 4 {
		t.Errorf("after the server was back, one is sent %d times", n)
	}
}

func TestRetryAfterHeedsTheContext(t *testing.T) {
	url, _ := script(t, status(503, "Retry-After", "100"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client(t, httpx.Options{}).Do(ctx, httpx.Request{Method: "GET", URL: url, Repeat: true})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
}

func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	url, _ := script(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	_, err := client(t, httpx.Options{Timeout: 20 * time.Millisecond}).Do(t.Context(), httpx.Request{Method: "GET", URL: url, Repeat: true})
	if katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "no answer in time") {
		t.Fatalf("error is %v", err)
	}
}

func TestInFlightLimit(t *testing.T) {
	var now, most atomic.Int64
	url, _ := script(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
	})
	c := client(t, httpx.Options{Concurrency: 3})
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.Do(t.Context(), httpx.Request{Method: "GET", URL: url}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d requests at once", most.Load())
	}
}

func TestBodyLimit(t *testing.T) {
	url, _ := script(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 3<<20)) })
	_, err := client(t, httpx.Options{MaxBody: 2 << 20}).Do(t.Context(), httpx.Request{Method: "GET", URL: url})
	if katprep.KindOf(err) != katprep.Corrupt {
		t.Fatalf("error is %v", err)
	}
}

func TestRedirects(t *testing.T) {
	other, count := script(t, status(200))
	url, _ := script(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
	_, err := client(t, httpx.Options{}).Do(t.Context(), httpx.Request{Method: "GET", URL: url, Header: http.Header{"Authorization": {"Basic x"}}})
	if err == nil || !strings.Contains(err.Error(), "another server") || count.Load() != 0 {
		t.Fatalf("error is %v, %d requests elsewhere", err, count.Load())
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(status(200))
	t.Cleanup(srv.Close)
	srv.Config.ErrorLog = nil
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		o    httpx.Options
		hint string // of the error; "" : no error
	}{
		{"unknown authority", httpx.Options{}, "set ca_file"},
		{"CA file", httpx.Options{CAFile: ca}, ""},
		{"certificate for another name", httpx.Options{CAFile: ca, ServerName: "satellite.example.org"}, "the certificate is for example.com"},
		{"name in the certificate", httpx.Options{CAFile: ca, ServerName: "example.com"}, ""},
		{"insecure when asked", httpx.Options{Insecure: true}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, tc.o)
			_, err := c.Do(t.Context(), httpx.Request{Method: "GET", URL: srv.URL, Repeat: true})
			if tc.hint == "" {
				if err != nil {
					t.Fatal(err)
				}
				if !c.CertExpires().Equal(srv.Certificate().NotAfter) {
					t.Errorf("expires %v", c.CertExpires())
				}
				return
			}
			if katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(katprep.HintOf(err), tc.hint) {
				t.Errorf("error %v, hint %q", err, katprep.HintOf(err))
			}
			if c.Sent() != 1 {
				t.Errorf("%d attempts", c.Sent())
			}
		})
	}
}

func TestBadCAFile(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "absent.pem")} {
		if _, err := httpx.New(httpx.Options{CAFile: file}); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
			t.Errorf("%s: error is %v", file, err)
		}
	}
}

func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		url, _ := script(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		})
		c := client(t, httpx.Options{})
		if _, ok := c.ClockSkew(); ok {
			t.Error("a skew is known before any answer")
		}
		if _, err := c.Do(t.Context(), httpx.Request{Method: "GET", URL: url}); err != nil {
			t.Fatal(err)
		}
		got, ok := c.ClockSkew()
		if !ok || (got-skew).Abs() > 2*time.Second {
			t.Errorf("skew %v, want %v", got, skew)
		}
	}
}

func TestCancelled(t *testing.T) {
	url, _ := script(t, status(200))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, httpx.Options{}).Do(ctx, httpx.Request{Method: "GET", URL: url, Repeat: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
}
