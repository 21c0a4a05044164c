package hyperv

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A world is the Hyper-V host behind the stub: Hyper-V cannot run here. It
// knows the scripts by their names; their text is checked where PowerShell is
// installed.
type world struct {
	mu    sync.Mutex
	args  string // of the last call of "powershell"
	calls int

	VMs  []*machine
	Next int
	free int // of 1000, on the volume; 0 is half

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

// wrapper is the "powershell" that a real sshd starts: it hands arguments and
// input to the test, which answers.
const wrapper = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/%d
printf '%%s\n' "$*" "$(cat)" >&3
cat <&3
`

// serve answers the wrappers.
func (w *world) serve(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.answer(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func (w *world) answer(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	args, err := r.ReadString('\n')
	if err != nil {
		return
	}
	data, err := r.ReadBytes('\n')
	var q struct {
		Op, Script string
		Args       map[string]string
	}
	if err != nil || json.Unmarshal(data, &q) != nil {
		return
	}
	io.WriteString(conn, w.reply(args, q.Op, q.Script, q.Args))
}

// reply is what the stub writes for a script.
func (w *world) reply(args, op, text string, a map[string]string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.args = strings.TrimSpace(args)
	w.calls++
	known := slices.ContainsFunc(scripts, func(s script) bool { return s.name == op && s.text == text })
	if w.Garbage || !known {
		return "'powershell' is not recognized"
	}
	rows, failure := w.run(op, a)
	answer := map[string]any{"ok": true, "data": append([]any{}, rows...)}
	if failure != nil {
		answer = map[string]any{"ok": false, "error": failure[0], "id": failure[1]}
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return err.Error()
	}
	return string(data) + "\r\n"
}

// with changes the world.
func (w *world) with(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
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
		rows = append(rows, map[string]any{"type": m.Type, "passthrough": m.Passthrough, "shared": 0, "volume": `D:\`, "free": cmp.Or(w.free, 500), "total": 1000})
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
