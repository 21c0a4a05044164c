package xapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/xapi"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

// A fake is a pool made from the published API: XAPI cannot run here. Every
// table is a map from reference to record.
type fake struct {
	mu       sync.Mutex
	vms      map[string]map[string]any
	vdis     map[string]bool
	tasks    map[string]map[string]any
	sessions map[string]bool
	next     int
	requests int

	fails  string // code with which the next task fails
	denied string // method that the user may not call
	slave  bool
	used   string
}

func newFake(t *testing.T) (*fake, *xapi.Client) {
	t.Helper()
	f := &fake{vms: map[string]map[string]any{}, vdis: map[string]bool{}, tasks: map[string]map[string]any{}, sessions: map[string]bool{}, used: "500"}
	for i, name := range []string{"web01", "db <&\"'>", "off"} {
		ref := fmt.Sprint("OpaqueRef:vm", i)
		f.vms[ref] = f.record(name, i)
	}
	f.vms["OpaqueRef:vm2"]["power_state"] = "Halted"
	f.vms["OpaqueRef:dom0"] = f.record("Control domain on host: xen1", 90)
	f.vms["OpaqueRef:dom0"]["is_control_domain"] = true
	f.vms["OpaqueRef:tpl"] = f.record("Debian 12", 91)
	f.vms["OpaqueRef:tpl"]["is_a_template"] = true
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	return f, open(t, s.URL, "secret")
}

func open(t *testing.T, url, password string) *xapi.Client {
	t.Helper()
	c, err := xapi.New(xapi.Options{URL: url, Login: creds.Login{User: "katprep", Password: creds.NewSecret(password)},
		HTTP: httpx.Options{Insecure: true, Retries: -1}, Limits: vm.Limits{Poll: 5 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fake) record(name string, i int) map[string]any {
	vdi := f.ref("vdi")
	f.vdis[vdi] = true
	return map[string]any{"uuid": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "name_label": name, "is_a_template": false, "is_a_snapshot": false,
		"is_control_domain": false, "power_state": "Running", "snapshot_of": "OpaqueRef:NULL", "snapshot_time": "19700101T00:00:00Z", "parent": "OpaqueRef:NULL",
		"snapshots": []string{}, "VBDs": []string{"OpaqueRef:vbd-" + vdi, "OpaqueRef:cd"}, "suspend_VDI": "OpaqueRef:NULL",
		"guest_metrics": fmt.Sprint("OpaqueRef:gm", i), "tags": []string{}, "current_operations": map[string]string{}, "allowed_operations": []string{"snapshot", "checkpoint"}}
}

func (f *fake) ref(kind string) string {
	f.next++
	return fmt.Sprintf("OpaqueRef:%s-%d", kind, f.next)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var call struct {
		Method string `json:"method"`
		Params []any  `json:"params"`
		ID     any    `json:"id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil || r.URL.Path != "/jsonrpc" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": call.ID}
	f.requests++
	result, code := f.dispatch(call.Method, call.Params)
	if code != nil {
		answer["error"] = map[string]any{"code": 1, "message": code[0], "data": code[1:]}
	} else {
		answer["result"] = result
	}
	json.NewEncoder(w).Encode(answer)
}

func (f *fake) dispatch(method string, p []any) (any, []string) {
	text := func(i int) string { s, _ := p[i].(string); return s }
	if method == "session.login_with_password" {
		if f.slave {
			return nil, []string{"HOST_IS_SLAVE", "192.0.2.9"}
		}
		if text(1) != "secret" {
			return nil, []string{"SESSION_AUTHENTICATION_FAILED", text(0), text(1)}
		}
		s := f.ref("session")
		f.sessions[s] = true
		return s, nil
	}
	if !f.sessions[text(0)] {
		return nil, []string{"SESSION_INVALID", text(0)}
	}
	if name, ok := strings.CutPrefix(method, "Async."); ok {
		return f.async(name, p[1:]), nil
	}
	if method == f.denied {
		return nil, []string{"RBAC_PERMISSION_DENIED", method}
	}
	switch method {
	case "session.logout":
		delete(f.sessions, text(0))
		return "", nil
	case "host.get_all_records":
		return map[string]any{"OpaqueRef:h": map[string]any{"software_version": map[string]string{"product_brand": "XCP-ng", "product_version": "8.3.0"}}}, nil
	case "VM.get_all_records":
		return f.vms, nil
	case "VIF.get_all_records":
		return map[string]any{"OpaqueRef:vif": map[string]string{"VM": "OpaqueRef:vm0", "MAC": "aa:bb:cc:00:00:01"}}, nil
	case "VM_guest_metrics.get_all_records":
		return map[string]any{"OpaqueRef:gm0": map[string]any{"networks": map[string]string{"0/ip": "192.0.2.1", "0/ipv4/0": "192.0.2.1", "0/ipv6/0": "2001:db8::1"}}}, nil
	case "VM.get_by_uuid":
		for ref, r := range f.vms {
			if r["uuid"] == text(1) {
				return ref, nil
			}
		}
		return nil, []string{"UUID_INVALID", "VM", text(1)}
	case "VM.get_record":
		if r, ok := f.vms[text(1)]; ok {
			return r, nil
		}
		return nil, []string{"HANDLE_INVALID", "VM", text(1)}
	case "VM.set_name_description", "task.destroy":
		return "", nil
	case "VBD.get_record":
		if vdi, ok := strings.CutPrefix(text(1), "OpaqueRef:vbd-"); ok {
			return map[string]string{"type": "Disk", "VDI": vdi}, nil
		}
		return map[string]string{"type": "CD", "VDI": "OpaqueRef:NULL"}, nil
	case "VDI.get_SR":
		return "OpaqueRef:sr", nil
	case "SR.get_record":
		return map[string]any{"name_label": "Local storage", "physical_size": "1000", "physical_utilisation": f.used}, nil
	case "task.get_record":
		t := f.tasks[text(1)]
		if t["looks"] = t["looks"].(int) - 1; t["looks"].(int) > 0 {
			return map[string]any{"status": "pending", "result": "", "error_info": []string{}}, nil
		}
		return t, nil
	}
	return nil, []string{"MESSAGE_METHOD_UNKNOWN", method}
}

func (f *fake) async(method string, p []any) string {
	task := f.ref("task")
	f.tasks[task] = map[string]any{"status": "success", "result": "", "error_info": []string{}, "looks": 2}
	if f.fails != "" {
		f.tasks[task]["status"], f.tasks[task]["error_info"] = "failure", []string{f.fails, "OpaqueRef:sr"}
		f.fails = ""
		return task
	}
	ref, _ := p[0].(string)
	switch method {
	case "VM.snapshot", "VM.checkpoint":
		f.tasks[task]["result"] = "<value>" + f.snap(ref, p[1].(string)) + "</value>"
	case "VM.destroy":
		f.destroy(ref)
	case "VDI.destroy":
		delete(f.vdis, ref)
	case "VM.revert":
		f.vms[f.vms[ref]["snapshot_of"].(string)]["power_state"] = "Halted"
	case "VM.start", "VM.resume":
		f.vms[ref]["power_state"] = "Running"
	case "VM.clean_shutdown", "VM.hard_shutdown":
		f.vms[ref]["power_state"] = "Halted"
	}
	return task
}

func (f *fake) snap(of, name string) string {
	ref := f.ref("snap")
	r := f.record(name, 1000+f.next)
	r["is_a_snapshot"], r["is_a_template"], r["snapshot_of"], r["power_state"] = true, true, of, "Halted"
	r["snapshot_time"], r["parent"] = time.Now().UTC().Format("20060102T15:04:05Z"), f.vms[of]["parent"]
	f.vms[ref] = r
	f.vms[of]["parent"] = ref
	f.vms[of]["snapshots"] = append(f.vms[of]["snapshots"].([]string), ref)
	return ref
}

func (f *fake) destroy(ref string) {
	owner := f.vms[f.vms[ref]["snapshot_of"].(string)]
	owner["snapshots"] = slices.DeleteFunc(owner["snapshots"].([]string), func(s string) bool { return s == ref })
	for _, r := range f.vms {
		if r["parent"] == ref {
			r["parent"] = f.vms[ref]["parent"]
		}
	}
	delete(f.vms, ref)
}

func target(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run-1"} }

func TestContract(t *testing.T) {
	f, c := newFake(t)
	disks := maps.Clone(f.vdis)
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c, Targets: []act.Target{{Name: "web01"}, {Name: "db <&\"'>"}}, Unknown: act.Target{Name: "nowhere"},
		Foreign: func(t *testing.T, tg act.Target, name string) (func() bool, func()) {
			f.mu.Lock()
			defer f.mu.Unlock()
			of := "OpaqueRef:vm0"
			if tg.Name != "web01" {
				of = "OpaqueRef:vm1"
			}
			ref := f.snap(of, name)
			return func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.vms[ref] != nil },
				func() {
					f.mu.Lock()
					defer f.mu.Unlock()
					for _, vbd := range f.vms[ref]["VBDs"].([]string) {
						delete(f.vdis, strings.TrimPrefix(vbd, "OpaqueRef:vbd-"))
					}
					f.destroy(ref)
				}
		},
		State: func(t *testing.T, tg act.Target) act.PowerState {
			p, err := c.PowerState(t.Context(), tg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
	})
	if !maps.Equal(disks, f.vdis) {
		t.Errorf("disks are left behind: %v", f.vdis)
	}
	acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "web01"}, Unknown: act.Target{Name: "nowhere"}})
	if err := c.Close(t.Context()); err != nil || len(f.sessions) > 0 {
		t.Errorf("close: %v, %d sessions", err, len(f.sessions))
	}
}

func TestFindsVMs(t *testing.T) {
	_, c := newFake(t)
	objects, err := c.Objects(t.Context())
	if err != nil || len(objects) != 3 {
		t.Fatalf("%+v, %v", objects, err)
	}
	for what, tg := range map[string]act.Target{"MAC": {MAC: "AA:BB:CC:00:00:01"}, "IP": {IP: "192.0.2.1"}, "IPv6": {IP6: "2001:db8:0::1"},
		"UUID": {Name: "00000000-0000-4000-8000-000000000000"}, "host": {Host: katprep.Host{Name: "web01.example.com"}}} {
		if p, err := c.PowerState(t.Context(), tg); err != nil || p != act.PoweredOn {
			t.Errorf("by %s: %s, %v", what, p, err)
		}
	}
	if places, err := c.Places(t.Context(), target("web01")); err != nil || !slices.Equal(places, []string{"Local storage"}) {
		t.Errorf("%v, %v", places, err)
	}
}

func TestWhatXAPICannot(t *testing.T) {
	f, c := newFake(t)
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{Quiesce: act.QuiesceRequire}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("quiesce required: %v", err)
	}
	ref, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{Quiesce: act.QuiesceTry, Memory: true})
	if err != nil || ref.Data[act.DataQuiesced] != "no" || ref.Data[act.DataWarning] == "" || ref.Data[act.DataCreated] == "" {
		t.Errorf("quiesce tried: %+v, %v", ref, err)
	}
	if left, err := c.Leftovers(t.Context()); err != nil || len(left) != 1 || left[0].VM != "web01" {
		t.Errorf("%+v, %v", left, err)
	}
	f.used = "990"
	if err := c.CheckSnapshot(t.Context(), target("off"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "Local storage") {
		t.Errorf("full repository: %v", err)
	}
}

func TestFailures(t *testing.T) {
	f, c := newFake(t)
	f.fails = "SR_FULL"
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "SR_FULL") {
		t.Errorf("task: %v", err)
	}
	f.mu.Lock()
	clear(f.sessions)
	f.mu.Unlock()
	if id, err := c.Identify(t.Context()); err != nil || id.Product != "XCP-ng" || id.Version != "8.3.0" {
		t.Errorf("after the session ended: %+v, %v", id, err)
	}
	s := httptest.NewTLSServer(f)
	defer s.Close()
	if _, err := open(t, s.URL, "hunter2").Identify(t.Context()); katprep.KindOf(err) != katprep.Denied || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("wrong password: %v", err)
	}
	f.slave = true
	if _, err := open(t, s.URL, "secret").Identify(t.Context()); katprep.KindOf(err) != katprep.Invalid || !strings.Contains(katprep.HintOf(err), "192.0.2.9") {
		t.Errorf("slave: %v", err)
	}
}
