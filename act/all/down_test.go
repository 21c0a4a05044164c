package all

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/config"
)

// listen is a port that accepts connections and hangs up, or never answers.
func listen(t *testing.T, hang bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if hang {
				go func() { _, _ = io.Copy(io.Discard, c) }()
				continue
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// TestMonitoringThatIsDown: whatever is asked of a monitoring system that is
// not there, hangs up or never answers, the answer is an error, in time, and
// never that there is no downtime.
func TestMonitoringThatIsDown(t *testing.T) {
	schemes := map[string]string{
		"alertmanager": "http://@", "icinga1": "http://@/icinga", "icinga2": "https://@", "livestatus": "tcp://@",
		"nagios": "http://@/nagios4", "thruk": "http://@/thruk", "zabbix": "http://@/zabbix",
	}
	const mute = "never answers"
	var all sync.WaitGroup // not as parallel tests: they wait, and are many
	began := time.Now()
	for how, addr := range map[string]string{"refuses": "127.0.0.1:1", "hangs up": listen(t, false), mute: listen(t, true)} {
		for _, typ := range config.MonitoringTypes {
			s := config.System{Name: "m", Type: typ, URL: strings.Replace(schemes[typ], "@", addr, 1), Timeout: config.Duration(200 * time.Millisecond)}
			var asked []string
			system, err := New(&config.Config{Monitoring: []config.System{s}}, testOptions(&asked)).System("m")
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range questions(t, system.(act.Downtimer)) {
				if how != mute && name != "FindDowntime" {
					continue // repetitions take their time
				}
				all.Go(func() {
					if err := call(); err == nil || katprep.KindOf(err) != katprep.Unreachable {
						t.Errorf("%s %s: %s: %v (kind %v), want it unreachable", typ, how, name, err, katprep.KindOf(err))
					}
				})
			}
		}
	}
	all.Wait()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

func questions(t *testing.T, d act.Downtimer) map[string]func() error {
	target := act.Target{Name: "web01", Marker: "katprep-x"}
	window := katprep.Window{Start: time.Now(), End: time.Now().Add(time.Hour)}
	return map[string]func() error{
		"Identify":     func() error { _, err := d.Identify(t.Context()); return err },
		"Schedule":     func() error { _, err := d.Schedule(t.Context(), target, window, "x"); return err },
		"FindDowntime": func() error { _, _, _, err := d.FindDowntime(t.Context(), target); return err },
		"EndDowntime":  func() error { return d.EndDowntime(t.Context(), target) },
		"Health":       func() error { _, err := d.(act.HealthReader).Health(t.Context(), target); return err },
		"Objects":      func() error { _, err := d.(act.Inventory).Objects(t.Context()); return err },
	}
}
