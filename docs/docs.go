// Package docs holds the documentation, so that the program can build its
// site without the sources or a network.
package docs

import "embed"

// Files are the Markdown files of this folder.
//
//go:embed *.md
var Files embed.FS
