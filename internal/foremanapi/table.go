package foremanapi

import "net/http"

// Plugins that calls need, as /api/plugins names them.
const (
	Katello         = "katello"
	RemoteExecution = "foreman_remote_execution"
	Tasks           = "foreman-tasks"
)

func params(names ...string) []string {
	return append([]string{"search", "order", "page", "per_page"}, names...)
}

// get, post and put make calls; what gets reads.
func get(path, plugin string, params ...string) *Call {
	return &Call{Method: http.MethodGet, Path: path, Plugin: plugin, Params: params, Reads: true}
}

func post(path, plugin string, params ...string) *Call {
	return &Call{Method: http.MethodPost, Path: path, Plugin: plugin, Params: params}
}

func put(path, plugin string, params ...string) *Call {
	return &Call{Method: http.MethodPut, Path: path, Plugin: plugin, Params: params}
}

func (e *Call) since(f Feature) *Call { e.Since = f; return e }

func (e *Call) reads() *Call { e.Reads = true; return e }

func (e *Call) text() *Call { e.Text = true; return e }

// hidden marks parameters that work but are not documented.
func (e *Call) hidden(names ...string) *Call { e.Hidden = names; return e }

func (e *Call) guard(f Feature, names ...string) *Call {
	if e.Guards == nil {
		e.Guards = map[string]Feature{}
	}
	for _, n := range names {
		e.Guards[n] = f
	}
	return e
}

func bulk(path string) *Call {
	return post(path, Katello, "organization_id", "included", "included.search", "included.ids", "page", "per_page").reads().hidden("page", "per_page")
}

// What Foreman itself answers.
var (
	callStatus     = get("/api/status", "")
	callPlugins    = get("/api/plugins", "", "page", "per_page").hidden("page", "per_page")
	callHosts      = get("/api/hosts", "", params("include", "thin", "organization_id", "location_id")...).guard(Include, "include").guard(Thin, "thin")
	callHost       = get("/api/hosts/:id", "")
	callFacts      = get("/api/fact_values", "", params()...)
	callHostFacts  = get("/api/hosts/:host_id/facts", "", params()...)
	callOrgs       = get("/api/organizations", "", params()...)
	callLocs       = get("/api/locations", "", params()...)
	callGroups     = get("/api/hostgroups", "", params()...)
	callUsers      = get("/api/users", "", params()...)
	callUserGroups = get("/api/usergroups", "", params()...)
	callSettings   = get("/api/settings", "", params()...)
	callPower      = put("/api/hosts/:id/power", "", "power_action")

	callParams      = get("/api/hosts/:host_id/parameters", "", params()...)
	callCreateParam = post("/api/hosts/:host_id/parameters", "", "parameter", "parameter.name", "parameter.value", "parameter.parameter_type").guard(ParameterTypes, "parameter.parameter_type")
	callUpdateParam = put("/api/hosts/:host_id/parameters/:id", "", "parameter", "parameter.value")
	callDeleteParam = &Call{Method: http.MethodDelete, Path: "/api/hosts/:host_id/parameters/:id"}

	callUpdateHost   = put("/api/hosts/:id", "", "host", "host.comment")
	callUploadReport = post("/api/config_reports", "", "config_report", "config_report.host", "config_report.reported_at", "config_report.status",
		"config_report.metrics", "config_report.logs")
	callConfigReports = get("/api/config_reports", "", params()...)
	callLastReport    = get("/api/hosts/:host_id/config_reports/last", "")

	callReports        = get("/api/report_templates", "", params()...).since(Reports)
	callGenerateReport = post("/api/report_templates/:id/generate", "", "input_values", "report_format", "gzip").reads().text().since(ReportFormats)
)

// What Katello adds. A body's "included.search" must be there: empty means
// all hosts.
var (
	callHostErrata = get("/api/hosts/:host_id/errata", Katello, "full_result", "include_applicable", "page", "per_page").
			guard(Applicable, "include_applicable").hidden("full_result")
	callPackages = get("/api/hosts/:host_id/packages", Katello, "full_result", "include_latest_upgradable", "page", "per_page").
			guard(Upgradable, "include_latest_upgradable").hidden("full_result", "page", "per_page")
	callDebs = get("/api/hosts/:host_id/debs", Katello, "full_result", "include_latest_upgradable", "page", "per_page").
			since(HostDebs).guard(UpgradableDebs, "include_latest_upgradable")
	callTraces = get("/api/hosts/:host_id/traces", Katello, "full_result", "page", "per_page").
			since(HostTraces).hidden("full_result", "page", "per_page")
	callInstallable  = bulk("/api/hosts/bulk/installable_errata").since(BulkErrata)
	callApplicable   = bulk("/api/hosts/bulk/applicable_errata").since(BulkErrata)
	callErrata       = get("/katello/api/errata", Katello, params("organization_id", "errata_restrict_installable", "errata_restrict_applicable", "sort_by", "sort_order")...).guard(Sorted, "sort_by", "sort_order")
	callViews        = get("/katello/api/content_views", Katello, params("organization_id")...)
	callEnvironments = get("/katello/api/organizations/:organization_id/environments", Katello, params()...)
	callCollections  = get("/katello/api/host_collections", Katello, params("organization_id")...)

	callAgentErrata   = put("/api/hosts/:host_id/errata/apply", Katello, "errata_ids").since(Agent)
	callAgentPackages = put("/api/hosts/:host_id/packages/upgrade_all", Katello).since(Agent)
)

// What remote execution and the task engine add.
var (
	callFeatures  = get("/api/remote_execution_features", RemoteExecution)
	callTemplates = get("/api/job_templates", RemoteExecution, params()...)
	callCreateJob = post("/api/job_invocations", RemoteExecution, "job_invocation", "job_invocation.job_template_id", "job_invocation.targeting_type",
		"job_invocation.search_query", "job_invocation.inputs", "job_invocation.description_format", "job_invocation.execution_timeout_interval",
		"job_invocation.concurrency_control", "job_invocation.ssh", "job_invocation.scheduling").guard(JobTimeout, "job_invocation.execution_timeout_interval")
	callJobs      = get("/api/job_invocations", RemoteExecution, params()...)
	callJob       = get("/api/job_invocations/:id", RemoteExecution, "host_status").guard(JobHostStatus, "host_status")
	callJobOutput = get("/api/job_invocations/:id/hosts/:host_id", RemoteExecution)
	callCancelJob = post("/api/job_invocations/:id/cancel", RemoteExecution).since(JobCancel)
	callTask      = get("/foreman_tasks/api/tasks/:id", Tasks)
)

// Calls lists every request that the client can send.
func Calls() []Call {
	all := []*Call{
		callStatus, callPlugins, callHosts, callHost, callFacts, callHostFacts, callOrgs, callLocs, callGroups, callUsers, callUserGroups, callSettings,
		callPower, callParams, callCreateParam, callUpdateParam, callDeleteParam, callUpdateHost, callUploadReport, callConfigReports, callLastReport, callReports, callGenerateReport,
		callHostErrata, callPackages, callDebs, callTraces, callInstallable, callApplicable, callErrata, callViews, callEnvironments,
		callCollections, callAgentErrata, callAgentPackages,
		callFeatures, callTemplates, callCreateJob, callJobs, callJob, callJobOutput, callCancelJob, callTask,
	}
	calls := make([]Call, len(all))
	for i, e := range all {
		calls[i] = *e
	}
	return calls
}
