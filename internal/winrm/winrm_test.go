package winrm_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/winrm"
	"github.com/stdevel/katprep/internal/winrm/winrmtest"
)

func open(t *testing.T, url, password string) *winrm.Client {
	t.Helper()
	c, err := winrm.New(winrm.Options{URL: url, Login: creds.Login{User: "katprep", Password: creds.NewSecret(password)}, HTTP: httpx.Options{Insecure: true, Concurrency: 3}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// upper is a host whose commands return their input in capitals.
func upper(basic bool) *winrmtest.Host {
	return &winrmtest.Host{User: "katprep", Password: "s3cret", Basic: basic, Run: func(command string, stdin []byte) (string, string, int) {
		return command + ": " + strings.ToUpper(string(stdin)), "a complaint", 3
	}}
}

func TestRun(t *testing.T) {
	for _, basic := range []bool{false, true} {
		h := upper(basic)
		s := winrmtest.Start(t, h)
		c := open(t, s.URL, "s3cret")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				var out, complaints bytes.Buffer
				exit, err := c.Run(t.Context(), `tool <&"'>`, []byte("some input"), &out, &complaints)
				if err != nil || exit != 3 || out.String() != `tool <&"'>: SOME INPUT` || complaints.String() != "a complaint" {
					t.Errorf("basic %v: exit code %d, %q, %q, %v", basic, exit, out.String(), complaints.String(), err)
				}
			})
		}
		wg.Wait()
		if n := h.Shells(); n != 0 {
			t.Errorf("%d shells are left open", n)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := winrmtest.Start(t, upper(false))
	if _, err := open(t, s.URL, "hunter2").Run(t.Context(), "x", nil, &bytes.Buffer{}, &bytes.Buffer{}); katprep.KindOf(err) != katprep.Denied || katprep.HintOf(err) == "" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := open(t, s.URL+"/elsewhere", "s3cret").Run(t.Context(), "x", nil, &bytes.Buffer{}, &bytes.Buffer{}); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("no WinRM: %v", err)
	}
	verified, err := winrm.New(winrm.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verified.Run(t.Context(), "x", nil, &bytes.Buffer{}, &bytes.Buffer{}); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	for _, u := range []string{"", "hv1", "http://hv1:5985", "https://u:p@hv1", "https://"} {
		if _, err := winrm.New(winrm.Options{URL: u}); katprep.KindOf(err) != katprep.Invalid || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// TestDeadline: a host that accepts and never answers costs the deadline.
func TestDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = open(t, "https://"+l.Addr().String(), "x").Run(ctx, "x", nil, &bytes.Buffer{}, &bytes.Buffer{})
	if katprep.KindOf(err) != katprep.Unreachable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("kind %d: %v", katprep.KindOf(err), err)
	}
}
