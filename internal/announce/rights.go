package announce

import (
	"context"
	"net/http"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// Rights says which permissions for a way are known to be missing, and which
// cannot be asked for without writing. Its error means that the server cannot
// be used.
func Rights(ctx context.Context, c *foremanapi.Client, way Way) (missing, untried []string, err error) {
	switch way {
	case Parameter:
		return nil, []string{"create_params", "edit_params", "destroy_params"}, nil
	case Report:
		switch err := c.CanSeeReports(ctx); {
		case foremanapi.StatusOf(err) == http.StatusForbidden:
			missing = []string{"view_config_reports (for announce: report)"}
		case err != nil:
			return nil, nil, err
		}
		return missing, []string{"upload_config_reports"}, nil
	}
	server, err := c.Server(ctx)
	if err != nil {
		return nil, nil, err
	}
	hosts, err := c.HostNames(ctx, server, "", 1)
	if err != nil || len(hosts) == 0 {
		return nil, []string{"edit_hosts"}, err
	}
	page, err := c.HostPage(ctx, hosts[0].ID)
	switch {
	case err != nil:
		return nil, nil, err
	case page.MayEdit == katprep.No:
		return []string{"edit_hosts (for announce: comment)"}, nil, nil
	case page.MayEdit == katprep.Yes:
		return nil, nil, nil
	}
	return nil, []string{"edit_hosts"}, nil
}
