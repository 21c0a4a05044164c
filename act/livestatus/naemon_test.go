package livestatus_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A naemon is a fake that answers as Naemon 1.5 was recorded to: numbers for
// booleans, "" for the service of a host downtime, SCHEDULE_HOST_SVC_DOWNTIME
// for services only, words only for a failed command, and every command in a
// connection carried out.
type naemon struct {
	mu    sync.Mutex
	hosts []string
	list  []map[string]any
	next  int
}

func newNaemon(hosts ...string) *naemon { return &naemon{hosts: hosts} }

func (n *naemon) listen(t *testing.T, conf *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "tcp://" + l.Addr().String()
	if conf != nil {
		l, url = tls.NewListener(l, conf), "tls://"+l.Addr().String()
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go n.serve(conn)
		}
	}()
	return url
}

func (n *naemon) serve(conn net.Conn) {
	defer conn.Close()
	var lines []string
	for s := bufio.NewScanner(conn); s.Scan() && s.Text() != ""; {
		lines = append(lines, s.Text())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range lines {
		if _, command, ok := strings.Cut(l, "] "); ok && strings.HasPrefix(l, "COMMAND [") {
			io.WriteString(conn, n.command(strings.SplitN(command, ";", 9)))
		}
	}
	if len(lines) > 0 && strings.HasPrefix(lines[0], "GET ") {
		b, _ := json.Marshal(n.query(lines))
		fmt.Fprintf(conn, "200 %11d\n%s", len(b)+1, append(b, '\n'))
	}
}

func (n *naemon) command(f []string) string {
	if strings.HasPrefix(f[0], "DEL_") {
		n.list = slices.DeleteFunc(n.list, func(d map[string]any) bool {
			return fmt.Sprint(d["id"]) == f[1] && (d["is_service"] == 1) == (f[0] == "DEL_SVC_DOWNTIME")
		})
		return ""
	}
	if !slices.Contains(n.hosts, f[1]) {
		return "400: Failed validation of host_name as type host (argument 0)\n"
	}
	start, _ := strconv.ParseInt(f[2], 10, 64)
	end, _ := strconv.ParseInt(f[3], 10, 64)
	switch f[0] {
	case "SCHEDULE_HOST_DOWNTIME":
		n.insert(f[1], "", f[7], f[8], start, end)
	case "SCHEDULE_HOST_SVC_DOWNTIME":
		n.insert(f[1], "disk", f[7], f[8], start, end)
		n.insert(f[1], "ssh", f[7], f[8], start, end)
	default:
		return "400: Unknown command '" + f[0] + "'\n"
	}
	return ""
}

func (n *naemon) insert(host, service, author, comment string, start, end int64) int {
	n.next++
	isService := 0
	if service != "" {
		isService = 1
	}
	n.list = append(n.list, map[string]any{
		"id": n.next, "host_name": host, "service_description": service, "author": author, "comment": comment,
		"start_time": start, "end_time": end, "is_service": isService,
	})
	return n.next
}

func (n *naemon) add(host, service, author, comment string, start, end int64) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.insert(host, service, author, comment, start, end)
}

func (n *naemon) has(id int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.list, func(d map[string]any) bool { return d["id"] == id })
}

func (n *naemon) query(lines []string) [][]any {
	var columns, filter []string
	for _, l := range lines[1:] {
		if c, ok := strings.CutPrefix(l, "Columns: "); ok {
			columns = strings.Fields(c)
		}
		if f, ok := strings.CutPrefix(l, "Filter: "); ok {
			filter = append(filter, f)
		}
	}
	rows := [][]any{}
	for _, r := range n.table(strings.TrimPrefix(lines[0], "GET ")) {
		hit := len(filter) == 0
		for _, f := range filter {
			column, value, _ := strings.Cut(f, " = ")
			hit = hit || fmt.Sprint(r[column]) == value
		}
		if !hit {
			continue
		}
		row := make([]any, len(columns))
		for i, c := range columns {
			if row[i] = r[c]; row[i] == nil {
				row[i] = "" // an unknown column is no error
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (n *naemon) table(name string) []map[string]any {
	switch name {
	case "status":
		return []map[string]any{{"program_version": "1.5.2-naemon"}}
	case "downtimes":
		return n.list
	}
	var rows []map[string]any
	for _, h := range n.hosts {
		if name == "hosts" {
			rows = append(rows, map[string]any{"name": h, "scheduled_downtime_depth": n.depth(h, "")})
			continue
		}
		for _, s := range []string{"ssh", "disk"} {
			rows = append(rows, map[string]any{"host_name": h, "description": s, "scheduled_downtime_depth": n.depth(h, s)})
		}
	}
	return rows
}

func (n *naemon) depth(host, service string) (depth int) {
	now := time.Now().Unix()
	for _, d := range n.list {
		if d["host_name"] == host && d["service_description"] == service && d["start_time"].(int64) <= now && d["end_time"].(int64) > now {
			depth++
		}
	}
	return depth
}

// certificate makes a certificate for monitor.example.test that is its own
// authority.
func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "monitor"}, DNSNames: []string{"monitor.example.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
