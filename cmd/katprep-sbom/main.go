// Command katprep-sbom writes what a built katprep consists of: a software bill
// of materials (CycloneDX 1.6, JSON) and the licences of everything linked in.
// It reads the binary, not go.mod, so that it lists what is really there. The
// modules must be in Go's module cache, as they are after a build.
//
//	go run ./cmd/katprep-sbom -version 1.0.0 -time 1800000000 -sbom katprep.cdx.json -licenses LICENSES dist/katprep
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	version := flag.String("version", "devel", "version of katprep")
	epoch := flag.Int64("time", 0, "time of the build, seconds since 1970; 0 says none")
	sbom := flag.String("sbom", "katprep.cdx.json", "write the bill of materials here")
	licenses := flag.String("licenses", "LICENSES", "write the licence texts here")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *version, *epoch, *sbom, *licenses); err != nil {
		fmt.Fprintln(os.Stderr, "katprep-sbom:", err)
		os.Exit(1)
	}
}

func write(binary, version string, epoch int64, sbom, licenses string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	parts, err := parts(info)
	if err != nil {
		return err
	}
	var bom, texts bytes.Buffer
	if err := encode(&bom, bill(version, epoch, sha256.Sum256(content), parts)); err != nil {
		return err
	}
	for _, p := range parts {
		fmt.Fprintf(&texts, "%s %s (%s)\n\n%s\n\n", p.Path, p.Version, p.License, p.text)
	}
	return errors.Join(os.WriteFile(sbom, bom.Bytes(), 0o644), os.WriteFile(licenses, texts.Bytes(), 0o644))
}

// A part is a Go module that is linked in, or the standard library ("std").
type part struct {
	Path, Version string
	Sum           string // as in go.sum, "h1:…"; "" for the standard library
	License       string // SPDX expression
	text          string
}

// parts lists what the binary says it is made of, with licences from the
// sources it was built of.
func parts(info *debug.BuildInfo) ([]part, error) {
	all := []part{{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, part{Path: m.Path, Version: m.Version, Sum: m.Sum})
	}
	dirs, err := sources()
	if err != nil {
		return nil, err
	}
	for i := range all {
		p := &all[i]
		if p.License, p.text, err = license(dirs[p.Path]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.Path, p.Version, err)
		}
	}
	return all, nil
}

// sources are the directories of all modules of the build.
func sources() (map[string]string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	dirs := map[string]string{"std": strings.TrimSpace(string(root))}
	out, err := exec.Command("go", "list", "-m", "-json=Path,Dir", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m all: %w", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, err
		}
		dirs[m.Path] = m.Dir
	}
}

// license finds the licences of the sources in a directory, as an SPDX
// expression, and their texts. None, or one that nobody has looked at yet, is an
// error: it may not be compatible.
func license(dir string) (spdx, text string, err error) {
	if dir == "" {
		return "", "", errors.New("its sources are not in the module cache")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	name := regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice)([.-].*)?$`)
	var texts []string
	for _, f := range files {
		if f.IsDir() || !name.MatchString(f.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", "", err
		}
		texts = append(texts, strings.TrimSpace(string(b)))
	}
	text = strings.Join(texts, "\n\n")
	if spdx = classify(text); spdx == "" {
		return "", "", errors.New("no licence that is known here")
	}
	return spdx, text, nil
}

// phrases are in the text of one licence only, or in the notice of its use.
var phrases = []struct{ spdx, phrase string }{
	{"Apache-2.0", "Version 2.0, January 2004"},
	{"Apache-2.0", "http://www.apache.org/licenses/LICENSE-2.0"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"BSD-3-Clause", "without specific prior written permission"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

// classify names the licences in a text: all of them hold.
func classify(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	var found []string
	for _, p := range phrases {
		known := slices.Contains(found, p.spdx) || p.spdx == "BSD-2-Clause" && slices.Contains(found, "BSD-3-Clause")
		if !known && strings.Contains(words, p.phrase) {
			found = append(found, p.spdx)
		}
	}
	return strings.Join(found, " AND ")
}

// bill says the same in CycloneDX. Its serial number comes from the binary's
// hash: the same binary has the same bill.
func bill(version string, epoch int64, sum [sha256.Size]byte, parts []part) *cdx.BOM {
	b := cdx.NewBOM()
	b.SpecVersion = cdx.SpecVersion1_6
	b.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	id := sum
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8: made by a rule of one's own
	b.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
	main := cdx.Component{
		BOMRef: "katprep", Type: cdx.ComponentTypeApplication, Name: "katprep", Version: version,
		PackageURL: "pkg:golang/github.com/stdevel/katprep@v" + version,
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "GPL-3.0-only"}}},
	}
	b.Metadata = &cdx.Metadata{Component: &main}
	if epoch != 0 {
		b.Metadata.Timestamp = time.Unix(epoch, 0).UTC().Format(time.RFC3339)
	}
	var components []cdx.Component
	var refs []string
	for _, p := range parts {
		c := component(p)
		components, refs = append(components, c), append(refs, c.BOMRef)
	}
	b.Components = &components
	b.Dependencies = &[]cdx.Dependency{{Ref: "katprep", Dependencies: &refs}}
	return b
}

func component(p part) cdx.Component {
	purl := "pkg:golang/" + p.Path + "@" + p.Version
	c := cdx.Component{
		BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: p.Path, Version: p.Version, PackageURL: purl,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: p.License}}},
	}
	if strings.Contains(p.License, " ") {
		c.Licenses = &cdx.Licenses{{Expression: p.License}}
	}
	// go.sum's is a SHA-256 of the module's files, in another spelling.
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	}
	return c
}

func encode(w io.Writer, b *cdx.BOM) error {
	e := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	return e.SetPretty(true).Encode(b)
}
