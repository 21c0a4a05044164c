package main

import (
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// hostFilter matches host names against globs; none matches all.
func hostFilter(globs []string) (func(string) bool, error) {
	sel := katprep.Selection{Hosts: globs}
	return func(name string) bool {
		return collect.Match(sel, katprep.State{Host: katprep.Host{Name: name}})
	}, nil
}
