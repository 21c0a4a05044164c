package landscape

// A template is a job template; features are names for templates that stay
// the same over versions.
type template struct {
	id       int
	name     string
	category string
	feature  string // label, "" = none
	inputs   []string
	required string // input that must be there
	quick    bool
	since    [2]int // Katello version of the feature
	do       action
}

// templates lists the job templates of this server's version.
func (s *Server) templates() []template {
	script := "Script Default"
	if !s.foremanAt(3, 3) {
		script = "SSH Default"
	}
	all := []template{
		{189, "Run Command - " + script, "Commands", "", []string{"command"}, "command", true, [2]int{}, (*Server).runCommand},
		{190, "Power Action - " + script, "Power", "", []string{"action"}, "action", true, [2]int{}, (*Server).powerAction},
	}
	if !s.hasPlugin("katello") {
		return all
	}
	katello := " - Katello " + script
	for _, t := range []template{
		{192, "Install Errata" + katello, "Katello", "katello_errata_install", []string{"errata"}, "errata", false, [2]int{3, 0}, (*Server).installErrata},
		{193, "Install errata by search query" + katello, "Katello", "katello_errata_install_by_search", []string{"Errata search query"}, "", false, [2]int{4, 4}, (*Server).installErrataBySearch},
		{194, "Update Package" + katello, "Katello", "katello_package_update", []string{"package"}, "", false, [2]int{3, 0}, (*Server).updatePackages},
		{195, "Update packages by search query" + katello, "Katello", "katello_packages_update_by_search", []string{"Packages search query", "Selected update versions"}, "", false, [2]int{4, 5}, (*Server).updatePackagesBySearch},
		{196, "Restart Services" + katello, "Katello", "katello_service_restart", []string{"helper"}, "helper", true, [2]int{3, 3}, (*Server).restartServices},
		{197, "Resolve Traces" + katello, "Katello", "katello_host_tracer_resolve", []string{"Traces search query"}, "", true, [2]int{4, 3}, (*Server).resolveTraces},
		{198, "Upload Profile" + katello, "Katello", "katello_upload_profile", nil, "", true, [2]int{4, 13}, (*Server).uploadProfile},
	} {
		if s.katelloAt(t.since[0], t.since[1]) {
			all = append(all, t)
		}
	}
	return all
}

func (s *Server) templateByID(id int) (template, bool) {
	for _, t := range s.templates() {
		if t.id == id && id != 0 {
			return t, true
		}
	}
	return template{}, false
}

func (s *Server) templateByFeature(label string) (template, bool) {
	for _, t := range s.templates() {
		if t.feature == label && label != "" {
			return t, true
		}
	}
	return template{}, false
}
