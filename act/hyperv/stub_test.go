package hyperv

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the "powershell" that a real sshd starts:
// Hyper-V cannot run here. The stub knows the scripts by their names; their
// text is checked where PowerShell is installed.
func TestMain(m *testing.M) {
	if file := os.Getenv("KATPREP_STUB_STATE"); file != "" {
		os.Exit(stub(file))
	}
	os.Exit(m.Run())
}

// world is the stub's state, a file: every call is a process.
type world struct {
	VMs  []*machine
	Next int

	NoVSS   bool // production checkpoints fail
	Full    bool
	Denied  bool
	Garbage bool
}

type machine struct {
	ID, Name, UUID string
	State, Type    string
	MACs, IPs      []string
	Current        string
	Checkpoints    []checkpoint
	Passthrough    int
}

type checkpoint struct {
	ID, Name, Parent string
	Created          time.Time
	Kind, Ran        string
}

// with locks and changes the state.
func with(file string, f func(w *world)) {
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		panic(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		panic(err)
	}
	var w world
	data, _ := os.ReadFile(file)
	_ = json.Unmarshal(data, &w)
	f(&w)
	data, _ = json.Marshal(w)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		panic(err)
	}
}

func stub(file string) int {
	want := []string{"-NoProfile", "-NonInteractive", "-EncodedCommand", encode(bootstrap)}
	if !slices.Equal(os.Args[1:], want) {
		fmt.Fprintln(os.Stderr, "unexpected arguments")
		return 2
	}
	if _, err := base64.StdEncoding.DecodeString(os.Args[4]); err != nil {
		return 2
	}
	var q struct {
		Op, Script string
		Args       map[string]string
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil || json.Unmarshal(data, &q) != nil {
		return 2
	}
	if !slices.ContainsFunc(scripts, func(s script) bool { return s.name == q.Op && s.text == q.Script }) {
		fmt.Fprintln(os.Stderr, "unknown script")
		return 2
	}
	with(file, func(w *world) {
		if w.Garbage {
			fmt.Fprintln(os.Stderr, "'powershell' is not recognized\nas a command")
			return
		}
		rows, failure := w.run(q.Op, q.Args)
		if failure != nil {
			json.NewEncoder(os.Stdout).Encode(map[string]any{"ok": false, "error": failure[0], "id": failure[1]})
			return
		}
		json.NewEncoder(os.Stdout).Encode(map[string]any{"ok": true, "data": append([]any{}, rows...)})
	})
	return 0
}

func (w *world) run(op string, a map[string]string) (rows []any, failure []string) {
	if w.Denied {
		return nil, []string{"Zugriff verweigert", "AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVM"}
	}
	switch op {
	case "identify":
		return []any{map[string]any{"product": "Microsoft Windows Server 2022", "version": "10.0.20348", "user": `WIN\katprep`, "now": time.Now()}}, nil
	case "list":
		for _, m := range w.VMs {
			rows = append(rows, map[string]any{"id": m.ID, "name": m.Name, "uuid": m.UUID, "ips": m.IPs, "macs": m.MACs})
		}
		return rows, nil
	}
	i := slices.IndexFunc(w.VMs, func(m *machine) bool { return m.ID == a["vm"] })
	if i < 0 {
		return nil, []string{"not found", "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM"}
	}
	return w.vm(w.VMs[i], op, a)
}

func (w *world) vm(m *machine, op string, a map[string]string) (rows []any, failure []string) {
	at := slices.IndexFunc(m.Checkpoints, func(c checkpoint) bool { return c.ID == a["snapshot"] })
	switch op {
	case "tree":
		for _, c := range m.Checkpoints {
			rows = append(rows, map[string]any{"id": c.ID, "name": c.Name, "parent": c.Parent, "created": c.Created})
		}
	case "create":
		if w.Full || a["type"] == "ProductionOnly" && w.NoVSS {
			return nil, []string{"checkpoint operation failed", "OperationFailed,Microsoft.HyperV.PowerShell.Commands.CheckpointVM"}
		}
		w.add(m, a["name"], a["type"])
	case "remove":
		if at >= 0 {
			m.drop(at)
		}
	case "revert":
		if at < 0 {
			return nil, []string{"the checkpoint is gone", "the checkpoint is gone"}
		}
		m.State, m.Current = "Off", m.Checkpoints[at].ID
		if m.Checkpoints[at].Kind == "Standard" && m.Checkpoints[at].Ran == "Running" {
			m.State = "Saved"
		}
	case "power":
		rows = append(rows, map[string]string{"state": m.State})
	case "switch":
		m.State = map[string]string{"on": "Running", "off": "Off", "ask": "Off"}[a["action"]]
	case "check":
		rows = append(rows, map[string]any{"type": m.Type, "passthrough": m.Passthrough, "shared": 0, "volume": `D:\`, "free": 500, "total": 1000})
	}
	return rows, nil
}

func (w *world) add(m *machine, name, kind string) string {
	w.Next++
	id := fmt.Sprintf("cp-%d", w.Next)
	m.Checkpoints = append(m.Checkpoints, checkpoint{id, name, m.Current, time.Now(), kind, m.State})
	m.Current = id
	return id
}

func (m *machine) drop(i int) {
	gone := m.Checkpoints[i]
	for j := range m.Checkpoints {
		if m.Checkpoints[j].Parent == gone.ID {
			m.Checkpoints[j].Parent = gone.Parent
		}
	}
	m.Checkpoints = slices.Delete(m.Checkpoints, i, i+1)
}
