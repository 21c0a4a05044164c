package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestBillNamesWhatIsLinked looks at this test's own binary, which says what is
// in it as each Go binary does.
func TestBillNamesWhatIsLinked(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sbom, licenses := filepath.Join(dir, "a.json"), filepath.Join(dir, "LICENSES")
	if err := write(binary, "1.2.3", 1800000000, sbom, licenses); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(dir, "b.json")
	if err := write(binary, "1.2.3", 1800000000, again, licenses); err != nil {
		t.Fatal(err)
	}
	one, two := read(t, sbom), read(t, again)
	if !bytes.Equal(one, two) {
		t.Error("the same binary has two bills")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(one), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	byRef := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		byRef[c.BOMRef] = c
	}
	if len(info.Deps) == 0 || len(byRef) != len(info.Deps)+1 {
		t.Errorf("%d components of %d modules and the standard library", len(byRef), len(info.Deps))
	}
	for _, d := range info.Deps {
		c := byRef["pkg:golang/"+d.Path+"@"+d.Version]
		if c.Hashes == nil || len((*c.Hashes)[0].Value) != 64 || c.Licenses == nil || len(*c.Licenses) != 1 {
			t.Errorf("%s %s: %+v", d.Path, d.Version, c)
		}
		if !strings.Contains(string(read(t, licenses)), d.Path+" "+d.Version+" (") {
			t.Errorf("the licence of %s is missing", d.Path)
		}
	}
	if m := bom.Metadata; m.Timestamp != "2027-01-15T08:00:00Z" || m.Component.Version != "1.2.3" {
		t.Errorf("%+v", m)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLicenseOfSources(t *testing.T) {
	bsd := "Redistribution and use in source\nand binary forms, with or without"
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004": "Apache-2.0",
		bsd: "BSD-2-Clause",
		bsd + " … without specific prior written\npermission":                                                                                   "BSD-3-Clause",
		"MIT: Permission is hereby granted, free of charge, to any person obtaining a copy\nApache: http://www.apache.org/licenses/LICENSE-2.0": "Apache-2.0 AND MIT",
		"All rights reserved.": "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, _, err := license(dir)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, _, err := license(t.TempDir()); err == nil {
		t.Error("no licence is a licence")
	}
	if _, _, err := license(""); err == nil {
		t.Error("sources that are not there have a licence")
	}
}
