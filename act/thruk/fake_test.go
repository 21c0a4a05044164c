package thruk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake answers as a recorded Thruk 3.20 with Naemon (peer "nm") and Icinga 2
// (peer "i2") behind it: "submitted" for everything, IDs per backend, and the
// cores' own ways to write nothing and true.
type fake struct {
	mu    sync.Mutex
	hosts map[string]string // name → peer
	list  []map[string]any
	next  map[string]int
	twice bool // each host is on both backends
}

func newFake(t *testing.T) (*fake, string) {
	t.Helper()
	f := &fake{hosts: map[string]string{"web01.example.test": "nm", "we ird&host/#": "i2", "db01.example.test": "nm"}, next: map[string]int{}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return f, srv.URL + "/thruk"
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("X-Thruk-Auth-Key") != "s3cret_1" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":403,"failed":true,"message":"wrong authentication key"}`)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/thruk/r")
	if r.Method == http.MethodPost {
		f.command(w, path, r)
		return
	}
	switch path {
	case "/thruk":
		fmt.Fprint(w, `{"thruk_version":"3.20.2"}`)
		return
	case "/thruk/whoami":
		fmt.Fprint(w, `{"id":"thrukadmin","can_submit_commands":1}`)
		return
	}
	rows := []map[string]any{}
	for _, row := range f.table(path) {
		out, hit := map[string]any{}, true
		for k, v := range r.URL.Query() {
			if k == "columns" {
				for c := range strings.SplitSeq(v[0], ",") {
					out[c] = row[c] // an unknown column is null
				}
			} else if k == "backend" {
				hit = hit && row["peer_key"] == v[0]
			} else {
				hit = hit && fmt.Sprint(row[k]) == v[0]
			}
		}
		if hit {
			rows = append(rows, out)
		}
	}
	_ = json.NewEncoder(w).Encode(rows)
}

func (f *fake) table(path string) (rows []map[string]any) {
	switch path {
	case "/processinfo":
		return []map[string]any{{"peer_key": "nm", "program_version": "1.5.2"}, {"peer_key": "i2", "program_version": "r2.13.6-1"}}
	case "/downtimes":
		return f.list
	}
	for name, peer := range f.hosts {
		peers := []string{peer}
		if f.twice {
			peers = []string{"nm", "i2"}
		}
		for _, p := range peers {
			if path == "/hosts" {
				rows = append(rows, map[string]any{"name": name, "peer_key": p, "address": "192.0.2.1", "groups": []string{"web"}, "state": 0, "has_been_checked": 1, "plugin_output": "up\nmore", "scheduled_downtime_depth": f.depth(p, name, "")})
				continue
			}
			for i, s := range []string{"disk /", "http", "ntp", "raid"} {
				rows = append(rows, map[string]any{"host_name": name, "description": s, "peer_key": p, "state": i, "has_been_checked": 1, "acknowledged": i / 2, "scheduled_downtime_depth": f.depth(p, name, s)})
			}
			rows = append(rows, map[string]any{"host_name": name, "description": "backup", "peer_key": p, "state": 0, "has_been_checked": 0, "scheduled_downtime_depth": f.depth(p, name, "backup")})
		}
	}
	return rows
}

func (f *fake) depth(peer, host, service string) (depth int) {
	now := time.Now().Unix()
	for _, d := range f.list {
		s, _ := d["service_description"].(string)
		if d["peer_key"] == peer && d["host_name"] == host && s == service && d["start_time"].(int64) <= now && d["end_time"].(int64) > now {
			depth++
		}
	}
	return depth
}

func (f *fake) command(w http.ResponseWriter, path string, r *http.Request) {
	peer := r.URL.Query().Get("backend")
	switch {
	case path == "/cmd":
		start, _ := strconv.ParseInt(r.FormValue("start_time"), 10, 64)
		end, _ := strconv.ParseInt(r.FormValue("end_time"), 10, 64)
		host, services := r.FormValue("host"), r.FormValue("cmd") == "schedule_host_svc_downtime"
		if !services || peer == "i2" {
			f.insert(peer, host, nil, r.FormValue("comment_data"), start, end)
		}
		for _, s := range []string{"disk /", "http", "ntp", "raid", "backup"} {
			if services {
				f.insert(peer, host, s, r.FormValue("comment_data"), start, end)
			}
		}
	case strings.HasPrefix(path, "/system/cmd/del_"):
		f.list = slices.DeleteFunc(f.list, func(d map[string]any) bool {
			return d["peer_key"] == peer && fmt.Sprint(d["id"]) == r.FormValue("downtime_id") && (d["service_description"] != nil) == strings.HasSuffix(path, "del_svc_downtime")
		})
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
	fmt.Fprint(w, `{"commands":"","message":"Command successfully submitted"}`)
}

func (f *fake) insert(peer, host string, service any, comment string, start, end int64) int {
	f.next[peer]++
	f.list = append(f.list, map[string]any{
		"id": f.next[peer], "peer_key": peer, "host_name": host, "service_description": service, "author": "thrukadmin",
		"comment": comment, "start_time": start, "end_time": end, "is_service": nil,
	})
	return f.next[peer]
}
