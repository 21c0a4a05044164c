package landscape

import "time"

// A place is an organization, location, host group, lifecycle environment or
// the like: something with an ID, a name and a title with its parents.
type place struct {
	id     int
	name   string
	title  string
	parent int
}

var organizations = []place{{3, "ACME", "ACME", 0}, {4, "Initech", "Initech", 0}}

var locations = []place{
	{10, "EU", "EU", 0}, {11, "Cologne", "EU/Cologne", 10}, {12, "Munich", "EU/Munich", 10},
	{13, "Köln Süd", "EU/Cologne/Köln Süd", 11}, {14, "Raleigh", "US/Raleigh", 15}, {15, "US", "US", 0},
}

var hostGroups = []place{
	{20, "base", "base", 0}, {21, "web", "base/web", 20}, {22, "db", "base/db", 20},
	{23, "app", "base/app", 20}, {24, "infra", "base/infra", 20},
}

var environments = []place{{5, "Library", "Library", 0}, {6, "dev", "dev", 5}, {7, "test", "test", 6}, {8, "prod", "prod", 7}}

// envLag is how old the content of an environment is: errata issued later
// are applicable there, but not installable.
var envLag = []time.Duration{0, 0, 4 * 24 * time.Hour, 9 * 24 * time.Hour}

var contentViews = []place{{1, "Default Organization View", "", 0}, {31, "cv-rhel9", "", 0}, {32, "cv-rhel8", "", 0}, {33, "cv-debian12", "", 0}, {34, "ccv-app", "", 0}}

var collections = []place{{41, "patchday-a", "", 0}, {42, "patchday-b", "", 0}, {43, "dmz", "", 0}}

// A site is a location with its domain and network.
type site struct {
	location int // ID
	domain   string
	net      string
	share    uint64 // of 100 hosts
}

var sites = []site{
	{11, "cgn.example.com", "10.10", 40}, {12, "muc.example.com", "10.20", 30},
	{14, "rdu.example.com", "10.30", 18}, {13, "dmz.example.com", "172.16", 12},
}

// A role is what a host is for.
type role struct {
	prefix string
	group  int // ID of the host group
	owner  int // index into people; hosts of one role mostly belong to one
	share  uint64
}

var roles = []role{
	{"web", 21, 0, 18}, {"app", 23, 1, 22}, {"db", 22, 2, 14}, {"mail", 24, 3, 4}, {"dns", 24, 4, 3},
	{"ldap", 24, 4, 3}, {"git", 24, 5, 2}, {"ci", 23, 5, 6}, {"proxy", 21, 0, 5}, {"file", 24, 3, 5},
	{"mon", 24, 6, 3}, {"backup", 24, 6, 3}, {"sap", 22, 7, 5}, {"jump", 20, 4, 3}, {"print", 24, 3, 4},
}

// A person or group owns hosts.
type person struct {
	id    int
	login string
	name  string // first and last name, or the group's name
	group bool
}

var people = []person{
	{51, "web-operations", "web-operations", true}, {52, "aschmidt", "Anna Schmidt", false}, {53, "dba", "dba", true},
	{54, "jdupont", "Jérôme Dupont", false}, {55, "linux-team", "linux-team", true}, {56, "mokafor", "Mercy Okafor", false},
	{57, "tnowak", "Tomasz Nowak", false}, {58, "sap-basis", "sap-basis", true}, {4, "admin", "Admin User", false},
}

func placeByID(list []place, id int) (place, bool) {
	for _, p := range list {
		if p.id == id {
			return p, true
		}
	}
	return place{}, false
}

// byShare picks an index by weights that sum up to about 100.
func byShare(r uint64, n int, share func(int) uint64) int {
	r %= 100
	for i := range n {
		if r < share(i) {
			return i
		}
		r -= share(i)
	}
	return 0
}
