package foremanapi

import (
	"context"
	"net/url"
	"strconv"

	"github.com/stdevel/katprep"
)

// HostParameters returns a host's own parameters (not those it inherits), by
// name as the server sorts them. Without the permission view_params it is an
// error of kind katprep.Denied, not an empty list.
func (c *Client) HostParameters(ctx context.Context, host int64) ([]Parameter, error) {
	args := []string{strconv.FormatInt(host, 10)}
	const per = 200
	return gather(walk(ctx, callParams.expand(args), per, 1, plain[Parameter], c.pages(callParams, args, url.Values{}, per)))
}

// CreateParameter adds a parameter to a host; one of that name there is an
// error of kind katprep.Invalid. Other parameters are not touched.
func (c *Client) CreateParameter(ctx context.Context, server *Server, host int64, name, value string) error {
	p := map[string]any{"name": name, "value": value}
	if server.Can(ParameterTypes) {
		p["parameter_type"] = "string"
	}
	return c.call(ctx, callCreateParam, []string{strconv.FormatInt(host, 10)}, nil, map[string]any{"parameter": p}, nil)
}

// UpdateParameter changes the value of one of a host's own parameters, by the
// parameter's ID.
func (c *Client) UpdateParameter(ctx context.Context, host, id int64, value string) error {
	return c.call(ctx, callUpdateParam, []string{strconv.FormatInt(host, 10), strconv.FormatInt(id, 10)}, nil,
		map[string]any{"parameter": map[string]any{"value": value}}, nil)
}

// DeleteParameter removes one of a host's own parameters, by the parameter's
// ID. (Without one, Foreman would delete all: hence the check.)
func (c *Client) DeleteParameter(ctx context.Context, host, id int64) error {
	if id <= 0 {
		return katprep.Errorf(katprep.Internal, "parameter without ID")
	}
	return c.call(ctx, callDeleteParam, []string{strconv.FormatInt(host, 10), strconv.FormatInt(id, 10)}, nil, nil, nil)
}
