package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/stdevel/katprep"
)

// CycloneDX writes what is installed on a host as a software bill of
// materials (CycloneDX 1.6, JSON). A host whose packages were not collected
// is an error of kind katprep.Partial: an empty list would be a claim.
func CycloneDX(w io.Writer, s *katprep.State, ref katprep.SnapshotRef) error {
	if !s.Knows(katprep.AspectPackages) {
		return katprep.Errorf(katprep.Partial, "bill of materials of %s: its packages were not collected", s.Name)
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(s, ref)
	bom.Metadata = &cdx.Metadata{
		Timestamp: ref.Snapshot.Finished.UTC().Format(time.RFC3339),
		Component: &cdx.Component{BOMRef: "host", Type: cdx.ComponentTypeOS, Name: Line(s.Name), Version: Line(s.Facts.OS.Name)},
		Properties: &[]cdx.Property{
			{Name: "katprep:commit", Value: string(ref.Commit)},
			{Name: "katprep:host", Value: Line(s.HostID.String())},
			{Name: "katprep:status", Value: string(s.Status)},
		},
	}
	list := make([]cdx.Component, 0, len(s.Packages))
	for i := range s.Packages {
		list = append(list, component(s, &s.Packages[i], i))
	}
	bom.Components = &list
	e := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	e.SetPretty(true)
	return e.EncodeVersion(bom, cdx.SpecVersion1_6)
}

func component(s *katprep.State, p *katprep.Package, i int) cdx.Component {
	c := cdx.Component{BOMRef: fmt.Sprintf("package-%d", i+1), Type: cdx.ComponentTypeLibrary, Name: Line(p.Name), Version: Line(string(p.EVR)), PackageURL: purl(s, p)}
	if p.Vendor != "" {
		c.Supplier = &cdx.OrganizationalEntity{Name: Line(p.Vendor)}
	}
	return c
}

// purl writes a package URL: "pkg:rpm/rhel/openssl@3.0.7-27.el9?arch=x86_64&epoch=1".
func purl(s *katprep.State, p *katprep.Package) string {
	if s.Format != katprep.RPM && s.Format != katprep.Deb {
		return ""
	}
	vendor := strings.ToLower(s.Facts.OS.ID)
	version, q := string(p.EVR), url.Values{}
	if epoch, rest, ok := strings.Cut(version, ":"); ok && s.Format == katprep.RPM {
		version = rest
		q.Set("epoch", epoch)
	}
	if p.Arch != "" {
		q.Set("arch", p.Arch)
	}
	if s.Facts.OS.ID != "" && s.Facts.OS.Version != "" {
		q.Set("distro", s.Facts.OS.ID+"-"+s.Facts.OS.Version)
	}
	u := "pkg:" + string(s.Format) + "/"
	if vendor != "" {
		u += url.PathEscape(vendor) + "/"
	}
	u += url.PathEscape(Line(p.Name)) + "@" + url.QueryEscape(Line(version))
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	return u
}

// serial is a UUID that follows from commit and host, so that the same archive
// gives the same document.
func serial(s *katprep.State, ref katprep.SnapshotRef) string {
	sum := sha256.Sum256([]byte(string(ref.Commit) + "\x00" + s.HostID.String()))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made in our own way
	h := hex.EncodeToString(sum[:16])
	return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
