package nagioscgi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
)

func TestDetect(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 47, 26, 0, time.UTC)
	next := now.Add(24 * time.Hour)
	for _, test := range []struct{ written, format, want string }{
		{"11-22-2026 06:47:26", "", "11-23-2026 06:47:26"},
		{"22-11-2026 07:47:29", "", "23-11-2026 07:47:26"}, // an hour east, three seconds late
		{"2026-11-22 01:47:26", "", "2026-11-23 01:47:26"},
		{"2026-11-22T12:32:26", "", "2026-11-23T12:32:26"}, // Kathmandu
		{"11-22-2026 06:40:26", "us", "11-23-2026 06:47:26"},
	} {
		c, err := Detect(test.written, test.format, now)
		if err != nil {
			t.Errorf("Detect(%q): %v", test.written, err)
			continue
		}
		got, err := c.Write(next)
		if err != nil || got != test.want {
			t.Errorf("Detect(%q).Write = %q, %v; want %q", test.written, got, err, test.want)
		}
		if back, err := c.Read(got); err != nil || !back.Equal(next) {
			t.Errorf("Read(%q) = %v, %v", got, back, err)
		}
	}
	for _, bad := range []string{"", "tomorrow", "11-22-2025 06:47:26", "22.11.2026 06:47"} {
		if _, err := Detect(bad, "", now); err == nil {
			t.Errorf("Detect(%q): no error", bad)
		}
	}
	if _, err := Detect("22-11-2026 06:47:26", "us", now); err == nil {
		t.Error("Detect of a day as a month: no error")
	}
}

// TestSameDayAndMonth: on 5 May nobody can tell us from euro, and a guess
// would make a downtime of months.
func TestSameDayAndMonth(t *testing.T) {
	now := time.Date(2026, 5, 5, 22, 0, 0, 0, time.UTC)
	c, err := Detect("05-05-2026 22:00:00", "", now)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Write(now.Add(time.Hour)); err != nil || s != "05-05-2026 23:00:00" {
		t.Errorf("the same day: %q, %v", s, err)
	}
	if s, err := c.Write(now.Add(5 * time.Hour)); katprep.KindOf(err) != katprep.Conflict || err == nil {
		t.Errorf("the next day: %q, %v; want a conflict", s, err)
	}
	c, err = Detect("05-05-2026 22:00:00", "euro", now)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Write(now.Add(5 * time.Hour)); err != nil || s != "06-05-2026 03:00:00" {
		t.Errorf("the next day with a format: %q, %v", s, err)
	}
}

// TestDigestAnswer is the example of RFC 2617, section 3.5.
func TestDigestAnswer(t *testing.T) {
	h := http.Header{"Www-Authenticate": {`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`}}
	var c Client
	if !c.challenged(h) {
		t.Fatal("the challenge was not understood")
	}
	got := c.digest.answer("Mufasa", "Circle Of Life", "GET", "/dir/index.html", 1, "0a4f113b")
	for _, want := range []string{`response="6629fae49393a05397450978507c4ef1"`, `opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "nc=00000001", "qop=auth,"} {
		if !strings.Contains(got, want) {
			t.Errorf("answer %s lacks %s", got, want)
		}
	}
	for _, other := range []string{"Basic realm=\"x\"", "Digest realm=\"x\"", `Digest nonce="n", algorithm=SHA-512-256`, "Negotiate"} {
		if c.challenged(http.Header{"Www-Authenticate": {other}}) {
			t.Errorf("%s counts as a challenge", other)
		}
	}
}

// TestCommandAnswers: only the words of success are success. The pages are
// those of real servers, shortened.
func TestCommandAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		page string
		kind katprep.Kind
		text string
	}{
		"done":               {"<DIV CLASS='infoMessage'>Your command request was successfully submitted to Nagios for processing.<BR>", 0, ""},
		"done icinga":        {"Your command requests were successfully submitted to Icinga for processing. <div class='commitSuccess'>Successful</div>", 0, ""},
		"cookie":             {"<p>Error: Invalid or missing CSRF cookie!</p>", katprep.Internal, "CSRF cookie"},
		"referer":            {"<td class='errorMessage'>Error: This appears to be a CSRF attack! The command wasn't issued via Classic-UI itself!</td>", katprep.Internal, "CSRF attack"},
		"not allowed":        {"<P><DIV CLASS='errorMessage'>Sorry, but you are not authorized to commit the specified command.</DIV></P>", katprep.Denied, "not authorized"},
		"not allowed 1":      {"Your command requests were successfully submitted to Icinga <div class='commitFailed'>Not Authorized</div>", katprep.Denied, "Not Authorized"},
		"authentication off": {"<DIV CLASS='errorMessage'>Sorry Dave, I can't let you do that...</DIV>", katprep.Denied, "authentication is off"},
		"times":              {"<P><DIV CLASS='errorMessage'>Start or end time not valid</DIV></P>", katprep.Internal, "Start or end time not valid"},
		"a portal":           {"<html><body>Please log in</body></html>", katprep.Internal, "neither accepts nor refuses the command: Please log in"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				http.SetCookie(w, &http.Cookie{Name: "NagFormId", Value: "4353d0cd"})
				fmt.Fprint(w, "<INPUT TYPE='hidden' NAME='nagFormId' VALUE='4353d0cd'\n<TABLE><INPUT NAME='start_time' VALUE='11-22-2026 06:47:26'>")
				return
			}
			ck, err := r.Cookie("NagFormId")
			if err != nil || ck.Value != r.FormValue("nagFormId") || r.Referer() != "http://"+r.Host+"/x/cgi-bin/cmd.cgi" || r.FormValue("host") != "a&b=c;\n" {
				t.Errorf("request %v %v", r.Header, r.Form)
			}
			fmt.Fprint(w, test.page)
		}))
		c, err := New(Options{URL: srv.URL + "/x/"})
		if err != nil {
			t.Fatal(err)
		}
		f, err := c.Form(t.Context(), ScheduleHost, "a&b=c;\n")
		if err != nil || f.Now != "11-22-2026 06:47:26" {
			t.Fatalf("Form = %+v, %v", f, err)
		}
		err = c.Command(t.Context(), f, ScheduleHost, map[string][]string{"host": {"a&b=c;\n"}})
		if (err == nil) != (test.text == "") || err != nil && (katprep.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: %v", name, err)
		}
		srv.Close()
	}
}

func TestStatuses(t *testing.T) {
	for code, kind := range map[int]katprep.Kind{401: katprep.Denied, 403: katprep.Denied, 404: katprep.NotFound, 500: katprep.Unreachable} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		c, err := New(Options{URL: srv.URL, Login: creds.Login{User: "u", Password: creds.NewSecret("hunter2")}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Get(t.Context(), "status.cgi", nil)
		if katprep.KindOf(err) != kind || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d: %v", code, err)
		}
		srv.Close()
	}
}

func FuzzDetect(f *testing.F) {
	now := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
	f.Add("01-01-2027 10:00:00")
	f.Add("2026-12-31T11:59:59")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Detect(s, "", now)
		if err != nil {
			return
		}
		if got, err := c.Write(now); err == nil {
			if back, err := c.Read(got); err != nil || !back.Equal(now) {
				t.Errorf("Detect(%q) writes %v as %q and reads %v, %v", s, now, got, back, err)
			}
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add("<DIV CLASS='errorMessage'>x</DIV>")
	f.Add("<p>Error: <script>alert(1)</script></p>")
	f.Fuzz(func(t *testing.T, page string) {
		c := &Client{base: "http://x"}
		if err := c.Complaint(page); err != nil && len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
