package proxmox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a Proxmox VE cluster made from its published API: there is none
// that could run here. Tasks take two looks to end.
type fake struct {
	mu       sync.Mutex
	vms      map[string]*machine // by number
	tasks    map[string]int      // looks left
	requests int

	freezeFails bool   // the guest's agent answers, but cannot freeze
	taskFails   string // how the next task ends
	noFeature   bool   // disks that cannot be snapshot
	free        int64  // of 1000, on the storage
	deny        int    // status of every answer
}

type machine struct {
	name, node string
	running    bool
	agent      bool
	snaps      []snap
	current    string // the snapshot the VM goes on from
}

type snap struct {
	name, description, parent string
	time                      int64
	ran                       bool
	state                     string // "prepare" while it is made
}

func newFake(t *testing.T) (*fake, *httptest.Server) {
	t.Helper()
	f := &fake{tasks: map[string]int{}, free: 500, vms: map[string]*machine{
		"100": {name: "web01", node: "pve1", running: true, agent: true},
		"101": {name: "db 01 <&\"'>", node: "pve2", running: true},
		"102": {name: "twin", node: "pve1", running: true},
		"103": {name: "twin", node: "pve2"},
	}}
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	return f, s
}

const token = "PVEAPIToken=katprep@pve!patch=secret"

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	switch {
	case f.deny != 0:
		fail(w, f.deny, "denied")
	case r.Header.Get("Authorization") != token:
		fail(w, http.StatusUnauthorized, "")
	default:
		f.route(w, r, strings.TrimPrefix(r.URL.Path, "/api2/json"))
	}
}

func answer(w http.ResponseWriter, data any) { json.NewEncoder(w).Encode(map[string]any{"data": data}) }

func fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"data": nil, "message": message + "\n"})
}

func (f *fake) route(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case path == "/version":
		answer(w, map[string]string{"version": "8.4.1", "release": "8.4"})
	case path == "/access/permissions":
		answer(w, map[string]map[string]int{"/vms": {"VM.Audit": 1, "VM.Snapshot": 1, "VM.PowerMgmt": 1}})
	case path == "/cluster/resources":
		f.resources(w)
	case strings.Contains(path, "/tasks/"):
		f.task(w, path)
	case strings.Contains(path, "/storage/"):
		answer(w, map[string]int64{"total": 1000, "avail": f.free})
	default:
		f.vm(w, r, path)
	}
}

func (f *fake) resources(w http.ResponseWriter) {
	rows := []map[string]any{{"vmid": 200, "node": "pve1", "name": "container", "type": "lxc", "status": "running"},
		{"vmid": 900, "node": "pve1", "name": "template", "type": "qemu", "template": 1}}
	for id, m := range f.vms {
		status := "stopped"
		if m.running {
			status = "running"
		}
		var n int
		fmt.Sscan(id, &n)
		rows = append(rows, map[string]any{"vmid": n, "node": m.node, "name": m.name, "type": "qemu", "status": status, "template": 0})
	}
	answer(w, rows)
}

func (f *fake) task(w http.ResponseWriter, path string) {
	parts := strings.Split(path, "/")
	upid := parts[4]
	if parts[5] == "log" {
		lines := []map[string]any{{"n": 1, "t": "snapshotting 'drive-scsi0'"}}
		if f.freezeFails {
			lines = append(lines, map[string]any{"n": 2, "t": "guest-fsfreeze-freeze problems - VM 100 qmp command failed"})
		}
		answer(w, lines)
		return
	}
	if f.tasks[upid]--; f.tasks[upid] > 0 {
		answer(w, map[string]string{"status": "running"})
		return
	}
	exit := "OK"
	if f.taskFails != "" {
		exit, f.taskFails = f.taskFails, ""
	}
	answer(w, map[string]string{"status": "stopped", "exitstatus": exit})
}

func (f *fake) begin(w http.ResponseWriter, node string) {
	upid := fmt.Sprintf("UPID:%s:0000%d:00:66:qmsnapshot:100:katprep@pve!patch:", node, len(f.tasks))
	f.tasks[upid] = 2
	answer(w, upid)
}

var vmPath = regexp.MustCompile(`^/nodes/(\w+)/qemu/(\d+)/(.*)$`)

func (f *fake) vm(w http.ResponseWriter, r *http.Request, path string) {
	p := vmPath.FindStringSubmatch(path)
	if p == nil || f.vms[p[2]] == nil || f.vms[p[2]].node != p[1] {
		fail(w, http.StatusInternalServerError, "Configuration file 'nodes/x' does not exist")
		return
	}
	m := f.vms[p[2]]
	r.ParseForm()
	switch rest := p[3]; {
	case rest == "config":
		conf := map[string]any{"smbios1": "uuid=00000000-0000-4000-8000-000000000" + p[2], "scsi0": "local-lvm:vm-100-disk-0,size=8G",
			"ide2": "none,media=cdrom", "net0": "virtio=BC:24:11:00:0" + p[2][:1] + ":" + p[2][1:] + ",bridge=vmbr0", "cores": 2}
		if m.agent {
			conf["agent"] = "1"
		}
		answer(w, conf)
	case rest == "feature":
		answer(w, map[string]any{"hasFeature": !f.noFeature})
	case rest == "agent/ping" || rest == "agent/network-get-interfaces":
		if !m.agent {
			fail(w, http.StatusInternalServerError, "QEMU guest agent is not running")
			return
		}
		answer(w, map[string]any{"result": []any{map[string]any{"name": "eth0", "ip-addresses": []any{
			map[string]string{"ip-address": "192.0.2." + p[2]}, map[string]string{"ip-address": "127.0.0.1"}}}}})
	case rest == "status/current":
		status := map[bool]string{true: "running", false: "stopped"}[m.running]
		answer(w, map[string]string{"status": status, "qmpstatus": status})
	case strings.HasPrefix(rest, "status/"):
		m.running = rest == "status/start"
		f.begin(w, m.node)
	default:
		f.snapshots(w, r, m, strings.Split(rest, "/"))
	}
}

func (f *fake) snapshots(w http.ResponseWriter, r *http.Request, m *machine, rest []string) {
	if len(rest) == 1 && r.Method == http.MethodGet {
		rows := []map[string]any{}
		for _, s := range m.snaps {
			rows = append(rows, map[string]any{"name": s.name, "description": s.description + "\n", "parent": s.parent, "snaptime": s.time, "snapstate": s.state})
		}
		answer(w, append(rows, map[string]any{"name": "current", "description": "You are here!", "parent": m.current}))
		return
	}
	if len(rest) == 1 {
		f.create(w, r, m)
		return
	}
	i := slices.IndexFunc(m.snaps, func(s snap) bool { return s.name == rest[1] })
	switch {
	case i < 0:
		fail(w, http.StatusInternalServerError, "snapshot '"+rest[1]+"' does not exist")
	case r.Method == http.MethodDelete:
		m.drop(i)
		f.begin(w, m.node)
	case r.Method == http.MethodPut:
		m.snaps[i].description = r.Form.Get("description")
		answer(w, nil)
	default:
		m.running, m.current = false, rest[1] // a rollback without memory leaves the VM off
		f.begin(w, m.node)
	}
}

var goodName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{1,39}$`)

func (f *fake) create(w http.ResponseWriter, r *http.Request, m *machine) {
	name := r.Form.Get("snapname")
	switch {
	case !goodName.MatchString(name):
		fail(w, http.StatusBadRequest, "Parameter verification failed.")
	case slices.ContainsFunc(m.snaps, func(s snap) bool { return s.name == name }):
		fail(w, http.StatusInternalServerError, "snapshot name '"+name+"' already used")
	default:
		if f.taskFails == "" {
			m.add(name, r.Form.Get("description"))
		}
		f.begin(w, m.node)
	}
}

func (m *machine) add(name, description string) {
	m.snaps = append(m.snaps, snap{name, description, m.current, time.Now().Unix(), m.running, ""})
	m.current = name
}

func (m *machine) drop(i int) {
	gone := m.snaps[i]
	for j := range m.snaps {
		if m.snaps[j].parent == gone.name {
			m.snaps[j].parent = gone.parent
		}
	}
	if m.current == gone.name {
		m.current = gone.parent
	}
	m.snaps = slices.Delete(m.snaps, i, i+1)
}
