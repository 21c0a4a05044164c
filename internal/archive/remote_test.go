package archive

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/peers"
)

// bare makes an empty repository that only grows, as the documentation says
// how to set one up.
func bare(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "remote.git")
	git(t, ".", "init", "-q", "--bare", "-b", "main", dir)
	for _, s := range [][2]string{{"receive.denyNonFastForwards", "true"}, {"receive.denyDeletes", "true"}, {"receive.fsckObjects", "true"}, {"http.receivepack", "true"}} {
		git(t, dir, "config", s[0], s[1])
	}
	return dir
}

// cycle pushes, pushes more, and pulls into a second archive.
func cycle(t *testing.T, r Remote, remote string) {
	t.Helper()
	ctx := t.Context()
	a, path := create(t)
	if n, err := a.Unpushed(ctx, r); n != 0 || err != nil {
		t.Errorf("empty: %d, %v", n, err)
	}
	_, after := maintained(t, a)
	if n, err := a.Unpushed(ctx, r); n != 5 || err != nil {
		t.Errorf("before: %d, %v", n, err)
	}
	done, err := a.Push(ctx, r)
	if err != nil || done.To != after || done.Tags != 2 {
		t.Fatalf("%+v, %v (hint: %s)", done, err, katprep.HintOf(err))
	}
	last := shot(t, a, katprep.Snapshot{}, host("s", "1", "h1.example.com", noise("x", 0, 0)...))
	for range 2 { // the second time there is nothing to do
		if done, err = a.Push(ctx, r); err != nil || done.To != last {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	if n, err := a.Unpushed(ctx, r); n != 0 || err != nil {
		t.Errorf("after: %d, %v", n, err)
	}
	if got := strings.TrimSpace(git(t, remote, "rev-parse", "refs/heads/"+r.branch())); got != string(last) {
		t.Errorf("the remote is at %s", got)
	}
	git(t, remote, "symbolic-ref", "HEAD", "refs/heads/"+r.branch())
	fsck(t, remote)
	fsck(t, path)

	b, second := create(t)
	if done, err := b.Pull(ctx, r); err != nil || done.To != last || done.Tags != 2 {
		t.Fatalf("pull: %+v, %v", done, err)
	}
	if v := verify(t, b, VerifyOptions{}); v.Broken() != nil || len(v.Tags) != 2 {
		t.Errorf("what was pulled: %v", v.Findings)
	}
	more := shot(t, b, katprep.Snapshot{Version: "b"})
	if _, err := b.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Push(ctx, r); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "ahead") {
		t.Errorf("push to a remote that is ahead: %v", err)
	}
	if done, err := a.Pull(ctx, r); err != nil || done.To != more {
		t.Errorf("pull: %+v, %v", done, err)
	}
	fsck(t, second)
}

func TestRemotePath(t *testing.T) {
	remote := bare(t)
	cycle(t, Remote{Name: "copy", URL: remote}, remote)
}

func TestRemoteSSH(t *testing.T) {
	peers.Need(t, "git", "sshd")
	remote := bare(t)
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	user := strings.TrimSpace(run(t, "id", "-un"))
	r := Remote{Name: "origin", URL: fmt.Sprintf("ssh://%s@%s:%d%s", user, s.Host, s.Port, remote), Branch: "dc1", SSHKey: s.Key.File, KnownHosts: s.KnownHosts}
	cycle(t, r, remote)

	a, _ := create(t)
	shot(t, a, katprep.Snapshot{})
	bad := r
	bad.KnownHosts = filepath.Join(t.TempDir(), "known_hosts")
	for what, line := range map[string]string{"not the known one": fmt.Sprintf("[%s]:%d %s", s.Host, s.Port, s.Key.Authorized()), "not known": "other.example.com " + s.Key.Authorized()} {
		if err := os.WriteFile(bad.KnownHosts, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Push(t.Context(), bad); katprep.KindOf(err) != katprep.Denied || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad = r
	bad.SSHKey = lab.NewKey(t, filepath.Join(t.TempDir(), "k"), "ed25519", "").File
	if _, err := a.Push(t.Context(), bad); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("foreign key: %v", err)
	}
}

func TestRemoteHTTPS(t *testing.T) {
	peers.Need(t, "git")
	remote := bare(t)
	core, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	backend := &cgi.Handler{Logger: quiet, Stderr: io.Discard, Path: filepath.Join(strings.TrimSpace(string(core)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(remote), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x"}}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, token, _ := req.BasicAuth(); token != "t0ken" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, req)
	}))
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	r := Remote{Name: "origin", URL: srv.URL + "/remote.git", Password: creds.NewSecret("t0ken"), CAFile: ca}
	cycle(t, r, remote)

	a, _ := create(t)
	shot(t, a, katprep.Snapshot{})
	for want, change := range map[katprep.Kind]func(r *Remote){
		katprep.Denied:      func(r *Remote) { r.Password = creds.NewSecret("wr0ng") },
		katprep.Unreachable: func(r *Remote) { r.CAFile = "" },
		katprep.NotFound:    func(r *Remote) { r.URL = srv.URL + "/nothing.git" },
		katprep.Invalid:     func(r *Remote) { r.URL = strings.Replace(srv.URL, "https", "http", 1) },
	} {
		bad := r
		change(&bad)
		_, err := a.Push(t.Context(), bad)
		if katprep.KindOf(err) != want || katprep.HintOf(err) == "" || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("kind %d: %v", want, err)
		}
	}
}

// TestTwoMachines lets two archives feed one remote.
func TestTwoMachines(t *testing.T) {
	remote := bare(t)
	ctx := t.Context()
	a, _ := create(t)
	b, _ := create(t)
	mine := shot(t, a, katprep.Snapshot{}, host("a", "1", "a1"))
	theirs := shot(t, b, katprep.Snapshot{Version: "b"}, host("b", "1", "b1"))
	// By mistake into the same branch: refused, and nothing is lost.
	r := Remote{Name: "origin", URL: remote}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Push(ctx, r); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(katprep.HintOf(err), "archive.branch") {
		t.Errorf("push into another's branch: %v", err)
	}
	if _, err := b.Pull(ctx, r); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("pull from another's branch: %v", err)
	}
	if tip, err := b.Resolve(ctx, "latest"); err != nil || tip != theirs {
		t.Errorf("b is at %s, %v", tip, err)
	}
	// Each into its own.
	own := Remote{Name: "origin", URL: remote, Branch: "dc2"}
	if _, err := b.Push(ctx, own); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]katprep.CommitID{"main": mine, "dc2": theirs} {
		if got := strings.TrimSpace(git(t, remote, "rev-parse", "refs/heads/"+ref)); got != string(want) {
			t.Errorf("%s is at %s, want %s", ref, got, want)
		}
	}
	// Both had a run of the same ID: explained, not overwritten.
	if err := a.Tag(ctx, "p1", katprep.Before, mine); err != nil {
		t.Fatal(err)
	}
	if err := b.Tag(ctx, "p1", katprep.Before, theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Push(ctx, own); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "run/p1/before") {
		t.Errorf("another tag: %v", err)
	}
}

// TestRewrittenRemote finds what an insider did to the copy.
func TestRewrittenRemote(t *testing.T) {
	remote := bare(t)
	ctx := t.Context()
	a, _ := create(t)
	r := Remote{Name: "origin", URL: remote}
	first := shot(t, a, katprep.Snapshot{})
	second := shot(t, a, katprep.Snapshot{})
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	for what, to := range map[string]string{
		"set back":  string(first),
		"new roots": strings.TrimSpace(git(t, remote, "commit-tree", "-m", "other", "main^{tree}")),
	} {
		git(t, remote, "update-ref", "refs/heads/main", to)
		shot(t, a, katprep.Snapshot{})
		for name, f := range map[string]func() (Transferred, error){
			"push": func() (Transferred, error) { return a.Push(ctx, r) }, "pull": func() (Transferred, error) { return a.Pull(ctx, r) },
		} {
			if _, err := f(); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "rewritten") {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
		if got := strings.TrimSpace(git(t, remote, "rev-parse", "main")); got != to {
			t.Errorf("%s: the remote was changed", what)
		}
		git(t, remote, "update-ref", "refs/heads/main", string(second))
	}
	git(t, remote, "update-ref", "-d", "refs/heads/main")
	if _, err := a.Push(ctx, r); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "gone") {
		t.Errorf("branch removed: %v", err)
	}
	if _, err := a.Push(ctx, Remote{Name: "away", URL: filepath.Join(t.TempDir(), "nothing")}); err == nil {
		t.Error("pushed into nothing")
	}
	if _, err := a.Push(ctx, Remote{Name: "../x", URL: remote}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("hostile name: %v", err)
	}
}
