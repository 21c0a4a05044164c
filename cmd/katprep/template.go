package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// templatePath is where a template is: as it is named, or in the configured
// folder of templates if there is none of that name here.
func templatePath(a *app, name string) (string, error) {
	cfg, err := a.config()
	if err != nil {
		return "", err
	}
	if cfg.Report.Templates == "" || filepath.Base(name) != name {
		return name, nil
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	return filepath.Join(a.path(cfg.Report.Templates), name), nil
}
