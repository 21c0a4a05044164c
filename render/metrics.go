package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/stdevel/katprep"
)

// metrics writes the OpenMetrics text format, for node_exporter's textfile
// collector and the like.
type metrics struct{ bytes.Buffer }

// family begins a family of gauges.
func (m *metrics) family(name, help string) {
	fmt.Fprintf(m, "# TYPE %s gauge\n# HELP %s %s\n", name, name, help)
}

// put writes a sample; labels are names and values in turn.
func (m *metrics) put(name string, v int64, labels ...string) {
	m.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(m, "%s%s=\"%s\"", sep, labels[i], labelEscaper.Replace(Line(labels[i+1])))
	}
	if len(labels) > 0 {
		m.WriteString("}")
	}
	fmt.Fprintf(m, " %d\n", v)
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func writeMetrics(w io.Writer, d *Data) error {
	m := &metrics{}
	m.family("katprep_snapshot_timestamp_seconds", "When the snapshots of the report were finished.")
	m.put("katprep_snapshot_timestamp_seconds", d.Before.Snapshot.Finished.Unix(), "phase", "before")
	m.put("katprep_snapshot_timestamp_seconds", d.After.Snapshot.Finished.Unix(), "phase", "after")
	if d.Host == nil {
		m.landscape(d)
	}
	m.family("katprep_vm_snapshots_old", "VM snapshots of katprep that are older than allowed and not known to be removed.")
	m.put("katprep_vm_snapshots_old", int64(len(d.OldVMSnapshots())))
	m.hosts(d.all())
	m.WriteString("# EOF\n")
	_, err := w.Write(m.Bytes())
	return err
}

func (m *metrics) landscape(d *Data) {
	t := d.Totals
	m.family("katprep_hosts", "Hosts of the report by what became of them.")
	for _, c := range []struct {
		state string
		n     int
	}{{"unknown", t.Unknown}, {"changed", t.Changed}, {"unchanged", t.Unchanged}, {"added", t.Added}, {"removed", t.Removed}, {"not_selected", t.NotSelected}} {
		m.put("katprep_hosts", int64(c.n), "state", c.state)
	}
	unknown := d.ErrataUnknown()
	m.family("katprep_hosts_errata_unknown", "Hosts, failed ones left out, of which no errata are known.")
	m.put("katprep_hosts_errata_unknown", int64(unknown))
	m.family("katprep_errata", "Pairs of host and erratum by how they ended; none is no sample while errata of some hosts are not known.")
	for _, e := range katprep.Endings {
		if t.Errata[e] == 0 && (unknown > 0 || t.Unknown > 0) {
			continue // nobody knows that it is 0
		}
		m.put("katprep_errata", int64(t.Errata[e]), "ending", string(e))
	}
	m.family("katprep_updates", "Pairs of host and package update by how they ended.")
	for _, e := range katprep.Endings {
		m.put("katprep_updates", int64(t.Updates[e]), "ending", string(e))
	}
}

func (m *metrics) hosts(hs []*katprep.HostChange) {
	m.family("katprep_host_read", "1 if the host was read in full afterwards, and before if it was there, else 0: then the other figures of the host prove nothing.")
	for _, h := range hs {
		v := int64(1)
		if Gap(h) || h.After != katprep.Collected {
			v = 0
		}
		m.put("katprep_host_read", v, "host", h.Name, "source", h.Source, "id", h.ID)
	}
	m.family("katprep_host_errata_known", "1 if the errata of the host are known afterwards, else 0: then it has no figures of errata that mean none.")
	for _, h := range hs {
		v := int64(0)
		if h.Knows(katprep.AspectErrata) {
			v = 1
		}
		m.put("katprep_host_errata_known", v, "host", h.Name, "source", h.Source, "id", h.ID)
	}
	m.family("katprep_host_errata", "Errata of the host by how they ended.")
	for _, h := range hs {
		n := map[katprep.Ending]int64{}
		for i := range h.Errata {
			n[h.Errata[i].Ending]++
		}
		for _, e := range katprep.Endings {
			if n[e] > 0 {
				m.put("katprep_host_errata", n[e], "host", h.Name, "source", h.Source, "id", h.ID, "ending", string(e))
			}
		}
	}
	m.family("katprep_host_reboot_needed", "1 if the host needs a reboot, 0 if not; missing if nobody knows.")
	for _, h := range hs {
		switch h.Reboot.Need {
		case katprep.Needed:
			m.put("katprep_host_reboot_needed", 1, "host", h.Name, "source", h.Source, "id", h.ID)
		case katprep.NotNeeded:
			m.put("katprep_host_reboot_needed", 0, "host", h.Name, "source", h.Source, "id", h.ID)
		}
	}
}
