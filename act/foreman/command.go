package foreman

import (
	"context"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// run runs a short command on one host and returns what it wrote. An error
// means that it did not end well.
func (a *Actor) run(ctx context.Context, h host, marker act.Marker, purpose, command string) (string, error) {
	template, err := a.commandTemplate(ctx)
	if err != nil {
		return "", err
	}
	o := order{template: template, purpose: purpose, only: h.id, marker: marker, inputs: map[string]string{"command": command}, timeout: 2 * time.Minute}
	j, err := a.send(ctx, o, []host{h})
	if err != nil {
		return "", err
	}
	return a.written(ctx, j, h.id)
}

// written waits for a job of one host and returns what it wrote there.
func (a *Actor) written(ctx context.Context, j *foremanapi.Job, id int64) (string, error) {
	if !targets(j, id) {
		return "", katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N)
	}
	done, err := a.await(ctx, j.ID.N, id)
	if err != nil {
		return "", err
	}
	if err := a.outcome(ctx, done, id); err != nil {
		return "", err
	}
	out, err := a.api.JobOutput(ctx, j.ID.N, id)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(out.Text("stdout"), "\r\n", "\n"), nil
}
