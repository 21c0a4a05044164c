//go:build unix

package monlab

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/peers"
)

// A Zabbix is a running Zabbix with PostgreSQL and its frontend. The user is
// Admin, the password zabbix.
type Zabbix struct {
	URL string // http://127.0.0.1:PORT

	dir                      string
	pg, php                  *process
	server                   *process
	as                       account
	pgPort, port, serverPort int
	token                    string
}

const (
	postgresBin = "/usr/lib/postgresql/15/bin/"
	zabbixSQL   = "/usr/share/zabbix-server-pgsql/"
	zabbixWeb   = "/usr/share/zabbix/"
)

// basics are the lines of the first data that a server and its frontend
// need. The templates, nearly all of it, take twenty seconds to load.
const basics = `^INSERT INTO (config|config_autoreg_tls|expressions|globalmacro|graph_theme|hstgrp|regexps|role|role_rule|users|users_groups|usrgrp) `

// Zabbix starts a Zabbix, or returns the one that runs. The first start makes
// a database, which takes a few seconds.
func (l *Lab) Zabbix(t testing.TB) *Zabbix {
	t.Helper()
	for _, p := range []string{postgresBin + "initdb", "/usr/sbin/zabbix_server", zabbixSQL + "schema.sql.gz", zabbixWeb + "api_jsonrpc.php", "/usr/bin/php"} {
		if _, err := os.Stat(p); err != nil {
			peers.Missing(t, p+" is not installed")
		}
	}
	if l.zabbix == nil {
		z := &Zabbix{}
		l.stops = append(l.stops, z.Stop)
		must(t, z.up(l), filepath.Join(z.dir, "pg.out"), filepath.Join(z.dir, "zabbix_server.log"), filepath.Join(z.dir, "server.out"), filepath.Join(z.dir, "php.out"))
		l.zabbix = z
	}
	return l.zabbix
}

func (z *Zabbix) up(l *Lab) error {
	var err error
	if z.dir, err = l.folder("zabbix"); err != nil {
		return err
	}
	for _, p := range []*int{&z.pgPort, &z.port, &z.serverPort} {
		if *p, err = lowPort(); err != nil {
			return err
		}
	}
	z.URL = fmt.Sprintf("http://127.0.0.1:%d", z.port)
	if z.as, err = accountFor("zabbix"); err != nil {
		return err
	}
	if err := z.database(l); err != nil {
		return err
	}
	if err := z.frontend(); err != nil {
		return err
	}
	if err := z.StartServer(); err != nil {
		return err
	}
	return wait("the frontend of zabbix", 30*time.Second, func(ctx context.Context) error {
		return z.call(ctx, "user.login", map[string]any{"username": "Admin", "password": "zabbix"}, &z.token)
	})
}

func (z *Zabbix) database(l *Lab) error {
	as, err := accountFor("postgres")
	if err != nil {
		return err
	}
	dir, err := l.folder("zabbix-pg")
	if err != nil {
		return err
	}
	if err := as.own(dir); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := run(dir, as, nil, postgresBin+"initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres", "--no-sync"); err != nil {
		return err
	}
	args := []string{"-D", data, "-p", fmt.Sprint(z.pgPort), "-k", dir}
	for _, s := range []string{"listen_addresses=127.0.0.1", "fsync=off", "synchronous_commit=off", "full_page_writes=off"} {
		args = append(args, "-c", s)
	}
	if z.pg, err = start(dir, "pg.out", as, nil, postgresBin+"postgres", args...); err != nil {
		return err
	}
	psql := func(args ...string) error {
		return run(dir, as, nil, postgresBin+"psql", append([]string{"-q", "-v", "ON_ERROR_STOP=1", "-h", dir, "-p", fmt.Sprint(z.pgPort)}, args...)...)
	}
	err = wait("postgres", 30*time.Second, func(context.Context) error {
		return psql("-U", "postgres", "-c", "create role zabbix login password 'zabbix'")
	})
	if err == nil {
		err = psql("-U", "postgres", "-c", "create database zabbix owner zabbix")
	}
	for _, load := range [][2]string{{"schema", ""}, {"data", basics}} {
		if err == nil {
			err = run(dir, as, nil, "/bin/sh", "-c", `set -e; zcat "$1" | grep -E "$5" | "$2" -q -1 -v ON_ERROR_STOP=1 -h "$3" -p "$4" -U zabbix -d zabbix >/dev/null`, "sh",
				zabbixSQL+load[0]+".sql.gz", postgresBin+"psql", dir, fmt.Sprint(z.pgPort), load[1])
		}
	}
	return err
}

// frontend makes a private copy of the frontend, because Debian's has the
// path of its configuration compiled in.
func (z *Zabbix) frontend() error {
	www := filepath.Join(z.dir, "www")
	if err := os.MkdirAll(filepath.Join(www, "conf"), 0o755); err != nil { // #nosec G301
		return err
	}
	files, err := filepath.Glob(zabbixWeb + "*")
	if err != nil {
		return err
	}
	for _, f := range files {
		if filepath.Base(f) == "conf" {
			f = zabbixWeb + "conf/maintenance.inc.php"
		}
		to := filepath.Join(www, strings.TrimPrefix(f, zabbixWeb))
		if err := run(z.dir, account{}, nil, "/bin/cp", "-a", f, to); err != nil {
			return err
		}
	}
	class := filepath.Join(www, "include/classes/core/CConfigFile.php")
	text, err := os.ReadFile(class)
	if err != nil {
		return err
	}
	conf := filepath.Join(www, "conf/zabbix.conf.php")
	changed := bytes.ReplaceAll(text, []byte("/etc/zabbix/zabbix.conf.php"), []byte(conf))
	if bytes.Equal(text, changed) {
		return errors.New("the frontend of zabbix does not name its configuration where it was expected")
	}
	err = write(www, map[string]string{
		"include/classes/core/CConfigFile.php": string(changed),
		"conf/zabbix.conf.php": fmt.Sprintf(`<?php
$DB['TYPE']='POSTGRESQL'; $DB['SERVER']='127.0.0.1'; $DB['PORT']='%d'; $DB['DATABASE']='zabbix';
$DB['USER']='zabbix'; $DB['PASSWORD']='zabbix'; $DB['SCHEMA']=''; $DB['ENCRYPTION']=false; $DB['DOUBLE_IEEE754']=true;
$ZBX_SERVER='127.0.0.1'; $ZBX_SERVER_PORT='%d'; $ZBX_SERVER_NAME='test'; $IMAGE_FORMAT_DEFAULT=IMAGE_FORMAT_PNG;
`, z.pgPort, z.serverPort),
		"../zabbix_server.conf": z.serverConf(),
		"../run/.keep":          "",
	})
	if err != nil {
		return err
	}
	if err := z.as.own(z.dir); err != nil {
		return err
	}
	z.php, err = start(z.dir, "php.out", z.as, []string{"PHP_CLI_SERVER_WORKERS=6"}, "php", "-d", "max_execution_time=300", "-d", "memory_limit=256M",
		"-d", "post_max_size=16M", "-d", "date.timezone=UTC", "-S", fmt.Sprintf("127.0.0.1:%d", z.port), "-t", www)
	return err
}

func (z *Zabbix) serverConf() string {
	return fmt.Sprintf(`ListenIP=127.0.0.1
ListenPort=%d
LogFile=%[3]s/zabbix_server.log
PidFile=%[3]s/run/zabbix_server.pid
SocketDir=%[3]s/run
DBHost=127.0.0.1
DBPort=%[2]d
DBName=zabbix
DBUser=zabbix
DBPassword=zabbix
StartPollers=1
StartIPMIPollers=0
StartPollersUnreachable=1
StartTrappers=1
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartPreprocessors=1
StartDBSyncers=1
StartEscalators=1
StartAlerters=1
StartLLDProcessors=1
StartHistoryPollers=1
StartODBCPollers=0
StartReportWriters=0
CacheUpdateFrequency=1
`, z.serverPort, z.pgPort, z.dir)
}

// StartServer starts the server process. It applies maintenance at its start,
// and then at each full minute.
func (z *Zabbix) StartServer() error {
	var err error
	z.server, err = start(z.dir, "server.out", z.as, nil, "/usr/sbin/zabbix_server", "-f", "-c", filepath.Join(z.dir, "zabbix_server.conf"))
	if err != nil {
		return err
	}
	return wait("zabbix_server", 30*time.Second, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", z.serverPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// StopServer stops the server process; the API goes on.
func (z *Zabbix) StopServer() {
	if z.server != nil {
		z.server.stop()
		z.server = nil
	}
}

// Stop stops everything.
func (z *Zabbix) Stop() {
	z.StopServer()
	for _, p := range []*process{z.php, z.pg} {
		if p != nil {
			p.stop()
		}
	}
	z.php, z.pg = nil, nil
}

// Call calls a method of the API as Admin.
func (z *Zabbix) Call(t testing.TB, method string, params, result any) {
	t.Helper()
	must(t, z.call(context.WithoutCancel(t.Context()), method, params, result))
}

func (z *Zabbix) call(ctx context.Context, method string, params, result any) error {
	body := map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
	if z.token != "" {
		body["auth"] = z.token
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, z.URL+"/api_jsonrpc.php", bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json-rpc")
	req.Close = true // PHP's own server serves a connection at a time
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  any             `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %v", method, answer.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// SendValue gives a trapper item a value.
func (z *Zabbix) SendValue(t testing.TB, host, key, value string) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"request": "sender data", "data": []map[string]string{{"host": host, "key": key, "value": value}}})
	must(t, err)
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", z.serverPort))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	packet := append([]byte("ZBXD\x01"), binary.LittleEndian.AppendUint64(nil, uint64(len(b)))...)
	_, err = conn.Write(append(packet, b...))
	must(t, err)
	_, err = io.ReadAll(conn)
	must(t, err)
}
