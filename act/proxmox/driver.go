package proxmox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// driver implements [vm.Driver]. A VM's ID is its number, its path is
// "node/number".
type driver struct{ c *Client }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// at returns the path of a VM's resource.
func at(v vm.VM, rest ...string) string {
	return path(append([]string{"nodes", nodeOf(v), "qemu", v.ID}, rest...)...)
}

func nodeOf(v vm.VM) string {
	node, _, _ := strings.Cut(v.Path, "/")
	return node
}

// List implements [vm.Driver].
func (d *driver) List(ctx context.Context, addresses bool) ([]vm.VM, error) {
	var rows []struct {
		ID       int    `json:"vmid"`
		Node     string `json:"node"`
		Name     string `json:"name"`
		Type     string `json:"type"`
		Status   string `json:"status"`
		Pool     string `json:"pool"`
		Template int    `json:"template"`
	}
	if err := d.c.get(ctx, "/cluster/resources?type=vm", &rows); err != nil {
		return nil, err
	}
	var list []vm.VM
	var running []bool
	for _, r := range rows {
		if r.Type != "qemu" || r.Template != 0 {
			continue
		}
		id := strconv.Itoa(r.ID)
		v := vm.VM{ID: id, Name: cmp.Or(r.Name, id), Path: r.Node + "/" + id, Groups: []string{r.Node}}
		if r.Pool != "" {
			v.Groups = append(v.Groups, r.Pool)
		}
		list = append(list, v)
		running = append(running, r.Status == "running")
	}
	if !addresses {
		return list, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range list {
		g.Go(func() error { return d.describe(ctx, &list[i], running[i]) })
	}
	return list, g.Wait()
}

// describe fills in what only the VM's configuration and guest agent know. A
// VM that vanished or moved meanwhile is left as it is.
func (d *driver) describe(ctx context.Context, v *vm.VM, running bool) error {
	conf, err := d.config(ctx, *v)
	if katprep.KindOf(err) == katprep.NotFound && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	v.UUID = property(conf["smbios1"], "uuid")
	for _, k := range sortedKeys(conf) {
		if mac := macOf.FindString(conf[k]); netKey.MatchString(k) && mac != "" {
			v.MACs = append(v.MACs, mac)
		}
	}
	if running && agentOn(conf) {
		v.IPs, err = d.addresses(ctx, *v)
	}
	return err
}

var (
	netKey  = regexp.MustCompile(`^net[0-9]+$`)
	diskKey = regexp.MustCompile(`^(scsi|virtio|sata|ide)[0-9]+$|^efidisk0$|^tpmstate0$`)
	macOf   = regexp.MustCompile(`(?i)[0-9a-f]{2}(:[0-9a-f]{2}){5}`)
)

// config returns a VM's configuration as text.
func (d *driver) config(ctx context.Context, v vm.VM) (map[string]string, error) {
	var raw map[string]any
	if err := d.c.get(ctx, at(v, "config"), &raw); err != nil {
		return nil, err
	}
	conf := make(map[string]string, len(raw))
	for k, x := range raw {
		conf[k] = fmt.Sprint(x)
	}
	return conf, nil
}

// property returns one part of "a=1,b=2".
func property(s, name string) string {
	for part := range strings.SplitSeq(s, ",") {
		if k, v, ok := strings.Cut(part, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// agentOn reports whether the VM is configured to have a guest agent.
func agentOn(conf map[string]string) bool {
	first, _, _ := strings.Cut(conf["agent"], ",")
	return first == "1" || property(conf["agent"], "enabled") == "1"
}

func (d *driver) addresses(ctx context.Context, v vm.VM) (ips []string, err error) {
	var answer struct {
		Result []struct {
			Addresses []struct {
				IP string `json:"ip-address"`
			} `json:"ip-addresses"`
		} `json:"result"`
	}
	err = d.c.get(ctx, at(v, "agent", "network-get-interfaces"), &answer)
	if katprep.KindOf(err) == katprep.Conflict {
		return nil, nil // the agent does not run
	}
	for _, i := range answer.Result {
		for _, a := range i.Addresses {
			if a.IP != "127.0.0.1" && a.IP != "::1" {
				ips = append(ips, a.IP)
			}
		}
	}
	slices.Sort(ips)
	return slices.Compact(ips), err
}

// maxName is how long a snapshot's name may be.
const maxName = 40

var badInName = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// SnapshotName implements [vm.Namer]. A marker that does not fit is cut, and
// a checksum keeps it apart from others.
func (d *driver) SnapshotName(m act.Marker) string {
	name := badInName.ReplaceAllString(string(m), "-")
	if name == string(m) && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(m))
	return name[:min(len(name), maxName-9)] + "-" + hex.EncodeToString(sum[:4])
}

// Tree implements [vm.Driver].
func (d *driver) Tree(ctx context.Context, v vm.VM) ([]vm.Snapshot, error) {
	var rows []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Parent      string `json:"parent"`
		Time        int64  `json:"snaptime"`
		State       string `json:"snapstate"` // "prepare" or "delete" while that lasts, and for ever if it was cut off
	}
	if err := d.c.get(ctx, at(v, "snapshot"), &rows); err != nil {
		return nil, err
	}
	var tree []vm.Snapshot
	for _, r := range rows {
		if r.Name == "current" {
			continue // not a snapshot, but the VM as it is
		}
		s := vm.Snapshot{ID: r.Name, Name: r.Name, Parent: r.Parent, Mark: vm.ParseMark(r.Description), Unfinished: r.State != ""}
		s.Quiesced = s.Mark.Quiesced
		if r.Time > 0 {
			s.Created = time.Unix(r.Time, 0).UTC()
		}
		tree = append(tree, s)
	}
	return tree, nil
}

// Create implements [vm.Driver]. Proxmox freezes the guest by itself where
// its agent runs, and only tells in the task's log when that failed.
func (d *driver) Create(ctx context.Context, v vm.VM, w vm.Wanted) error {
	if w.Quiesce {
		if w.Memory {
			return fmt.Errorf("%w: a snapshot with memory is not quiesced", vm.ErrQuiesce)
		}
		conf, err := d.config(ctx, v)
		if err != nil {
			return err
		}
		if !agentOn(conf) {
			return fmt.Errorf("%w: the guest agent is not enabled in the VM's options", vm.ErrQuiesce)
		}
		if err := d.c.call(ctx, http.MethodPost, at(v, "agent", "ping"), url.Values{}, nil); err != nil {
			return errors.Join(vm.ErrQuiesce, err)
		}
	}
	form := url.Values{"snapname": {w.Name}, "description": {w.Description}}
	if w.Memory {
		form.Set("vmstate", "1")
	}
	upid, err := d.c.task(ctx, http.MethodPost, nodeOf(v), at(v, "snapshot"), form)
	if err != nil || !w.Quiesce {
		return err
	}
	return d.confirmFreeze(ctx, v, w, upid)
}

// confirmFreeze takes back the claim in the description if the log says that
// the guest was not frozen.
func (d *driver) confirmFreeze(ctx context.Context, v vm.VM, w vm.Wanted, upid string) error {
	var log []struct {
		Text string `json:"t"`
	}
	if err := d.c.get(ctx, path("nodes", nodeOf(v), "tasks", upid, "log")+"?limit=5000", &log); err != nil {
		return err
	}
	for _, l := range log {
		if strings.Contains(l.Text, "guest-fsfreeze") && strings.Contains(l.Text, "problem") || strings.Contains(l.Text, "skipping guest") {
			w.Mark.Quiesced = false
			_, text, _ := strings.Cut(w.Description, "\n")
			return d.c.call(ctx, http.MethodPut, at(v, "snapshot", w.Name, "config"), url.Values{"description": {vm.Describe(w.Mark, text)}}, nil)
		}
	}
	return nil
}

// Remove implements [vm.Driver].
func (d *driver) Remove(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	_, err := d.c.task(ctx, http.MethodDelete, nodeOf(v), at(v, "snapshot", s.Name), nil)
	return err
}

// Revert implements [vm.Driver].
func (d *driver) Revert(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	_, err := d.c.task(ctx, http.MethodPost, nodeOf(v), at(v, "snapshot", s.Name, "rollback"), url.Values{})
	return err
}

// Power implements [vm.Driver].
func (d *driver) Power(ctx context.Context, v vm.VM) (act.PowerState, error) {
	var s struct {
		Status string `json:"status"`
		QMP    string `json:"qmpstatus"`
	}
	if err := d.c.get(ctx, at(v, "status", "current"), &s); err != nil {
		return act.PowerUnknown, err
	}
	switch {
	case s.QMP == "paused" || s.QMP == "suspended" || s.QMP == "prelaunch":
		return act.Suspended, nil
	case s.Status == "running":
		return act.PoweredOn, nil
	case s.Status == "stopped":
		return act.PoweredOff, nil
	}
	return act.PowerUnknown, nil
}

// Switch implements [vm.Driver].
func (d *driver) Switch(ctx context.Context, v vm.VM, a vm.Action) error {
	verb := map[vm.Action]string{vm.On: "start", vm.Off: "stop", vm.AskOff: "shutdown"}[a]
	if a == vm.On {
		if s, err := d.Power(ctx, v); err != nil {
			return err
		} else if s == act.Suspended {
			verb = "resume"
		}
	}
	if a == vm.AskOff { // its task ends with the guest, which the caller watches itself
		return d.c.call(ctx, http.MethodPost, at(v, "status", verb), url.Values{}, nil)
	}
	_, err := d.c.task(ctx, http.MethodPost, nodeOf(v), at(v, "status", verb), url.Values{})
	return err
}

// Check implements [vm.Checker].
func (d *driver) Check(ctx context.Context, v vm.VM, o act.SnapshotOptions) error {
	if o.Memory && o.Quiesce == act.QuiesceRequire {
		return katprep.Errorf(katprep.Invalid, "Proxmox VE makes a snapshot with memory or a quiesced one, not both").
			WithHint("set memory: false, or quiesce: try")
	}
	var feature struct {
		Has any `json:"hasFeature"`
	}
	if err := d.c.get(ctx, at(v, "feature")+"?feature=snapshot", &feature); err != nil {
		return err
	}
	if h := fmt.Sprint(feature.Has); h != "1" && h != "true" {
		return katprep.Errorf(katprep.Conflict, "VM %q has a disk on a storage or in a format without snapshots", v.Name).
			WithHint("move raw disks to qcow2, LVM-thin, ZFS or Ceph; passed-through disks have no snapshots")
	}
	storages, err := d.storages(ctx, v)
	if err != nil {
		return err
	}
	for _, s := range storages {
		var free struct {
			Total int64 `json:"total"`
			Avail int64 `json:"avail"`
		}
		if err := d.c.get(ctx, path("nodes", nodeOf(v), "storage", s, "status"), &free); err != nil {
			return fmt.Errorf("storage %s: %w", s, err)
		}
		if m := d.c.o.MinFree; m > 0 && free.Total > 0 && free.Avail < free.Total/100*int64(m) {
			return katprep.Errorf(katprep.Conflict, "storage %s has %d of %d GiB free, less than %d %%", s, free.Avail>>30, free.Total>>30, m).
				WithHint("make room: a full storage stops every VM on it")
		}
	}
	return nil
}

// storages lists the storages that hold the VM's disks.
func (d *driver) storages(ctx context.Context, v vm.VM) (names []string, err error) {
	conf, err := d.config(ctx, v)
	if err != nil {
		return nil, err
	}
	for k, value := range conf {
		storage, _, ok := strings.Cut(value, ":")
		if diskKey.MatchString(k) && ok && !strings.Contains(value, "media=cdrom") && !strings.HasPrefix(value, "/") {
			names = append(names, storage)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Places keeps the contract of [act.Placer]: the storages of the VM.
func (c *Client) Places(ctx context.Context, t act.Target) ([]string, error) {
	v, err := c.Find(ctx, t)
	if err != nil {
		return nil, err
	}
	return (&driver{c}).storages(ctx, v)
}
