package foreman

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

const (
	hookTimeout = 5 * time.Minute
	hookMax     = 16 << 10
	hookMost    = 1 << 20 // of each end of the output
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// hookUser is a user name for sudo.
var hookUser = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}\$?$`)

// Run implements [act.Hook]: the script runs on the host, wrapped so that its
// process group ends with it, and its output is bounded there. Script,
// environment and standard input are visible in Foreman: they must hold no
// secrets.
func (a *Actor) Run(ctx context.Context, t act.Target, s act.Script) (act.ScriptOutcome, error) {
	if err := validScript(s); err != nil {
		return act.ScriptOutcome{}, err
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	template, err := a.commandTemplate(ctx)
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	o := order{template: template, purpose: "hook", only: h.id, marker: s.Marker, user: s.User,
		inputs: map[string]string{"command": wrap(s)}, timeout: orElse(s.Timeout, hookTimeout) + time.Minute}
	jobs, err := a.api.JobsByDescription(ctx, o.description())
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	if len(jobs) > 0 {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.Conflict, "the script %s was started before, as job %d", s.Marker, jobs[0].ID.N)
	}
	j, err := a.send(ctx, o, []host{h})
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	if !targets(j, h.id) {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N)
	}
	if _, err := a.await(ctx, j.ID.N, h.id); err != nil {
		return act.ScriptOutcome{}, err
	}
	return a.scriptOutcome(ctx, j.ID.N, h.id)
}

func validScript(s act.Script) error {
	if err := s.Marker.Check(); err != nil {
		return err
	}
	if s.User != "" && !hookUser.MatchString(s.User) {
		return katprep.Errorf(katprep.Invalid, "user %q", s.User)
	}
	for k, v := range s.Env {
		if !variable.MatchString(k) || strings.ContainsRune(v, 0) {
			return katprep.Errorf(katprep.Invalid, "environment variable %q", k)
		}
	}
	return nil
}

// FindScript implements [act.ScriptFinder].
func (a *Actor) FindScript(ctx context.Context, t act.Target, m act.Marker) (o act.ScriptOutcome, over, found bool, err error) {
	if err := m.Check(); err != nil {
		return o, false, false, err
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return o, false, false, err
	}
	server, err := a.about(ctx)
	if err != nil {
		return o, false, false, err
	}
	jobs, err := a.api.JobsByDescription(ctx, order{marker: m, purpose: "hook", only: h.id}.description())
	if err != nil {
		return o, false, false, err
	}
	for _, listed := range jobs {
		j, err := a.api.Job(ctx, server, listed.ID.N)
		if err != nil {
			return o, false, false, err
		}
		if !targets(j, h.id) {
			continue
		}
		if !j.Ended() && !ended(statusOf(j, h.id)) {
			return o, false, true, nil
		}
		o, err := a.scriptOutcome(ctx, j.ID.N, h.id)
		return o, err == nil, true, err
	}
	return o, false, false, nil
}

// scriptOutcome reads what the wrapper wrote. Without its last line nobody
// knows how the script ended.
func (a *Actor) scriptOutcome(ctx context.Context, job, id int64) (act.ScriptOutcome, error) {
	out, err := a.api.JobOutput(ctx, job, id)
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	text := strings.ReplaceAll(out.Text("stdout"), "\r\n", "\n")
	o, ok := unwrap(text)
	if !ok {
		return o, katprep.Errorf(katprep.Conflict, "job %d: nobody says how the script ended: %s", job, excerpt(out.Text("stdout", "stderr", "debug"), 300))
	}
	return o, nil
}

// wrap makes a command that runs the script in a process group of its own,
// ends the group with TERM and, 10 s later, KILL when the time is over, kills
// what is left of it, and writes both ends of the output in base64.
func wrap(s act.Script) string {
	limit := orElse(s.Max, hookMax)
	limit = min(max(limit, 1), hookMost)
	seconds := int((orElse(s.Timeout, hookTimeout) + time.Second - 1) / time.Second)
	run := `sh -eu "$katprep_d/script"`
	if strings.HasPrefix(s.Text, "#!") {
		run = `"$katprep_d/script"`
	}
	r := strings.NewReplacer("@SCRIPT@", encoded([]byte(s.Text)), "@STDIN@", encoded(s.Stdin), "@ENV@", exports(s.Env),
		"@SECONDS@", strconv.Itoa(seconds), "@MAX@", strconv.Itoa(limit), "@RUN@", run)
	return r.Replace(wrapper)
}

// encoded is base64 in lines that every shell and template can hold.
func encoded(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var lines []string
	for chunk := range slices.Chunk([]byte(text), 76) {
		lines = append(lines, string(chunk))
	}
	return strings.Join(lines, "\n")
}

func exports(env map[string]string) string {
	var b strings.Builder
	names := make([]string, 0, len(env))
	for k := range env {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		b.WriteString("export " + k + "='" + strings.ReplaceAll(env[k], "'", `'\''`) + "'\n")
	}
	return b.String()
}

const wrapper = `katprep_d=$(mktemp -d) || exit 125
trap 'rm -rf "$katprep_d"' EXIT
base64 -d >"$katprep_d/script" <<'KATPREP'
@SCRIPT@
KATPREP
base64 -d >"$katprep_d/stdin" <<'KATPREP'
@STDIN@
KATPREP
chmod 700 "$katprep_d/script"
mkfifo "$katprep_d/fifo" || exit 125
{ head -c @MAX@ >"$katprep_d/head"; tail -c @MAX@ >"$katprep_d/tail"; } <"$katprep_d/fifo" &
reader=$!
start=$(date +%s)
(
export LC_ALL=C
@ENV@exec timeout -k 10 @SECONDS@ @RUN@ <"$katprep_d/stdin" >"$katprep_d/fifo" 2>&1
) &
p=$!
wait $p
rc=$?
took=$(($(date +%s) - start))
kill -KILL -$p 2>/dev/null
i=0
while kill -0 $reader 2>/dev/null && [ $i -lt 20 ]; do i=$((i + 1)); sleep 0.1; done
kill -KILL $reader 2>/dev/null
late=0
case $rc in 124|137) [ $took -ge @SECONDS@ ] && late=1;; esac
echo katprep-head; base64 <"$katprep_d/head"
echo katprep-tail; base64 <"$katprep_d/tail"
echo "katprep-end $rc $late $took"
exit $rc
`

var wrapped = regexp.MustCompile(`(?s)katprep-head\n(.*?)katprep-tail\n(.*?)katprep-end (\d+) ([01]) (\d+)\n`)

// unwrap reads what the wrapper wrote; ok is false if it did not come to its
// end.
func unwrap(text string) (o act.ScriptOutcome, ok bool) {
	m := wrapped.FindStringSubmatch(text)
	if m == nil {
		return o, false
	}
	head, err1 := decoded(m[1])
	tail, err2 := decoded(m[2])
	exit, err3 := strconv.Atoi(m[3])
	took, err4 := strconv.Atoi(m[5])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return o, false
	}
	out := strings.ToValidUTF8(string(head)+string(tail), "\uFFFD")
	return act.ScriptOutcome{Exit: exit, TimedOut: m[4] == "1", Took: time.Duration(took) * time.Second, Output: out}, true
}

func decoded(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}
