package parameters

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// Foreman is the Store of a Foreman server.
type Foreman struct {
	Client *foremanapi.Client
	Server *foremanapi.Server // what its version can
}

var _ Store = Foreman{}

// Own reads a host's own parameters.
func (f Foreman) Own(ctx context.Context, h katprep.Host) ([]Own, error) {
	id, err := hostID(h)
	if err != nil {
		return nil, err
	}
	list, err := f.Client.HostParameters(ctx, id)
	if err != nil {
		return nil, err
	}
	own := make([]Own, len(list))
	for i, p := range list {
		own[i] = Own{ID: p.ID.N, Name: string(p.Name), Value: textOf(p.Value), Type: string(p.Type), Hidden: bool(p.Hidden)}
	}
	return own, nil
}

func textOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil { // null is "", too
		return s
	}
	return string(raw)
}

// Create adds a parameter to a host.
func (f Foreman) Create(ctx context.Context, h katprep.Host, name, value string) error {
	id, err := hostID(h)
	if err != nil {
		return err
	}
	return f.Client.CreateParameter(ctx, f.Server, id, name, value)
}

// Update changes one of a host's parameters.
func (f Foreman) Update(ctx context.Context, h katprep.Host, p Own, value string) error {
	id, err := hostID(h)
	if err != nil {
		return err
	}
	return f.Client.UpdateParameter(ctx, id, p.ID, value)
}

// Delete removes one of a host's parameters.
func (f Foreman) Delete(ctx context.Context, h katprep.Host, p Own) error {
	id, err := hostID(h)
	if err != nil {
		return err
	}
	return f.Client.DeleteParameter(ctx, id, p.ID)
}

func hostID(h katprep.Host) (int64, error) {
	id, err := strconv.ParseInt(h.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, katprep.Errorf(katprep.Internal, "host %s has the ID %q, which is none of Foreman's", h.Name, h.ID)
	}
	return id, nil
}
