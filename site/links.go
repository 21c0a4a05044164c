package site

import "github.com/stdevel/katprep"

// HostPath is where the page of a host is, below the site's address. The page
// of a host that was renamed keeps the first name that the archive knows:
// the path that its newer name gives leads nowhere.
func HostPath(h katprep.Host) string { return "hosts/" + hostSlug(h) + ".html" }
