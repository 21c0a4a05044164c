package libvirt

import (
	"encoding/xml"
	"strings"
	"time"

	"github.com/stdevel/katprep/internal/vm"
)

// A domain is what matters of a VM's definition.
type domain struct {
	Loader struct {
		Type string `xml:"type,attr"`
	} `xml:"os>loader"`
	NVRAM struct {
		Format string `xml:"format,attr"`
	} `xml:"os>nvram"`
	Disks      []disk     `xml:"devices>disk"`
	Interfaces []nic      `xml:"devices>interface"`
	Channels   []channel  `xml:"devices>channel"`
	HostDevs   []struct{} `xml:"devices>hostdev"`
}

type disk struct {
	Device string `xml:"device,attr"` // "" is a disk
	Type   string `xml:"type,attr"`
	Driver struct {
		Type string `xml:"type,attr"`
	} `xml:"driver"`
	Source struct {
		File string `xml:"file,attr"`
		Dev  string `xml:"dev,attr"`
	} `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
	ReadOnly  *struct{} `xml:"readonly"`
	Shareable *struct{} `xml:"shareable"`
}

// counts reports whether a snapshot must hold the disk.
func (d disk) counts() bool {
	return (d.Device == "" || d.Device == "disk" || d.Device == "lun") && d.ReadOnly == nil
}

type nic struct {
	MAC struct {
		Address string `xml:"address,attr"`
	} `xml:"mac"`
}

type channel struct {
	Target struct {
		Name  string `xml:"name,attr"`
		State string `xml:"state,attr"`
	} `xml:"target"`
}

func (d *domain) agent() bool {
	for _, c := range d.Channels {
		if c.Target.Name == "org.qemu.guest_agent.0" && c.Target.State == "connected" {
			return true
		}
	}
	return false
}

// A snapshotXML is what libvirt says of a snapshot.
type snapshotXML struct {
	XMLName     xml.Name `xml:"domainsnapshot"`
	Name        string   `xml:"name"`
	Description string   `xml:"description"`
	Created     int64    `xml:"creationTime"`
	Parent      string   `xml:"parent>name"`
	Memory      struct {
		Kind string `xml:"snapshot,attr"`
	} `xml:"memory"`
	Disks []struct {
		Kind string `xml:"snapshot,attr"`
	} `xml:"disks>disk"`
}

// kinds says whether a snapshot lies inside disk images or beside them.
func (s *snapshotXML) kinds() (internal, external bool) {
	external = s.Memory.Kind == "external"
	internal = s.Memory.Kind == "internal"
	for _, d := range s.Disks {
		internal = internal || d.Kind == "internal"
		external = external || d.Kind == "external"
	}
	return internal, external
}

func (s *snapshotXML) snapshot() vm.Snapshot {
	out := vm.Snapshot{ID: s.Name, Name: s.Name, Parent: s.Parent, Mark: vm.ParseMark(s.Description), Native: s}
	out.Quiesced = out.Mark.Quiesced // made only if the guest was frozen; libvirt does not tell
	if s.Created > 0 {
		out.Created = time.Unix(s.Created, 0).UTC()
	}
	return out
}

// request is the XML of a snapshot to be made.
func request(name, description string) (string, error) {
	type wanted struct {
		XMLName     xml.Name `xml:"domainsnapshot"`
		Name        string   `xml:"name"`
		Description string   `xml:"description"`
	}
	b, err := xml.Marshal(wanted{Name: name, Description: description})
	return string(b), err
}

// canRevertExternal reads the capability that libvirt 9.9 and later have.
func canRevertExternal(capabilities string) bool {
	return strings.Contains(capabilities, "<externalSnapshot/>")
}
