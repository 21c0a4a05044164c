package direct

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/probe"
	"github.com/stdevel/katprep/internal/sshx"
)

// SSHOptions say which hosts are read over SSH, and how.
type SSHOptions struct {
	Options
	Dialer   *sshx.Dialer
	Hosts    []inventory.Host  // sorted by name
	From     collect.Collector // lists further hosts, by name; nil: none
	Sudo     bool              // become root with "sudo -n /bin/sh -s"; the inventory may say otherwise
	Deadline time.Duration     // for one host, connecting included; 0: ten minutes
	User     string            // for the record
}

// SSH reads hosts over SSH.
type SSH struct{ o SSHOptions }

var _ collect.Collector = (*SSH)(nil)

// NewSSH returns a collector of hosts over SSH.
func NewSSH(o SSHOptions) *SSH {
	if o.Name == "" {
		o.Name = "ssh"
	}
	o.Options = o.Options.withDefaults()
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Minute
	}
	return &SSH{o}
}

// Source says that there are hosts; it connects to none of them.
func (s *SSH) Source(ctx context.Context) (katprep.Source, error) {
	if s.o.From != nil {
		if _, err := s.o.From.Source(ctx); err != nil {
			return katprep.Source{}, err
		}
	}
	if len(s.o.Hosts) == 0 && s.o.From == nil {
		return katprep.Source{}, katprep.Errorf(katprep.Invalid, "source %s: there is no host in it", s.o.Name)
	}
	return katprep.Source{Name: s.o.Name, Type: "ssh", Product: "hosts over SSH", User: s.o.User}, nil
}

// Targets yields the hosts by name, then those that the other source lists.
func (s *SSH) Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		var known []katprep.Host
		for h, err := range s.hosts(ctx, sel) {
			if err != nil {
				yield(collect.Target{}, err)
				return
			}
			host := katprep.Host{HostID: katprep.HostID{Source: s.o.Name, ID: h.Name}, Name: h.Name}
			known = append(known, host)
			if !mayMatch(sel, h.Name) {
				continue
			}
			read := func(ctx context.Context) (collect.Reading, error) { return s.read(ctx, host, h) }
			if !yield(collect.Target{Host: host, Read: read}, nil) {
				return
			}
		}
		if err := unknownNames(sel, known, s.o.Name); err != nil {
			yield(collect.Target{}, err)
		}
	}
}

// hosts lists each host once; those named here come first.
func (s *SSH) hosts(ctx context.Context, sel katprep.Selection) iter.Seq2[inventory.Host, error] {
	return func(yield func(inventory.Host, error) bool) {
		seen := map[string]bool{}
		for _, h := range s.o.Hosts {
			seen[strings.ToLower(h.Name)] = true
			if !yield(h, nil) {
				return
			}
		}
		if s.o.From == nil {
			return
		}
		for t, err := range s.o.From.Targets(ctx, katprep.Selection{Search: sel.Search}) {
			if err != nil {
				yield(inventory.Host{}, err)
				return
			}
			if name := t.Host.Name; !seen[strings.ToLower(name)] {
				seen[strings.ToLower(name)] = true
				if !yield(inventory.Host{Host: sshx.Host{Name: name}}, nil) {
					return
				}
			}
		}
	}
}

// mayMatch spares connections to hosts that a selection by plain names leaves
// out; the runner decides about everything else.
func mayMatch(sel katprep.Selection, name string) bool {
	if len(sel.Hosts) == 0 {
		return true
	}
	for _, p := range sel.Hosts {
		if strings.ContainsAny(p, "*?") || strings.EqualFold(p, name) {
			return true
		}
	}
	return false
}

func (s *SSH) read(ctx context.Context, host katprep.Host, h inventory.Host) (collect.Reading, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Deadline, errors.New("not done within "+s.o.Deadline.String()))
	defer cancel()
	c, err := s.o.Dialer.Dial(ctx, h.Host)
	if err != nil {
		return collect.Reading{}, err
	}
	defer c.Close()
	out, err := s.probe(ctx, c, h)
	if err != nil {
		return collect.Reading{}, err
	}
	r := s.o.reading(host, out)
	r.State.Facts.HostGroup, r.State.Facts.Collections = h.Group, h.Groups
	return r, nil
}

// probe runs the probe over a connection.
func (s *SSH) probe(ctx context.Context, c *sshx.Client, h inventory.Host) (*probe.Output, error) {
	sudo := s.o.Sudo
	if h.Become != nil {
		sudo = *h.Become
	}
	command := "/bin/sh -s"
	if sudo {
		command = "sudo -n /bin/sh -s"
	}
	mark := probe.NewMark()
	pr, pw := io.Pipe()
	var complaints tail
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, command, strings.NewReader(s.o.script(mark)), pw, &complaints)
		pw.Close()
		done <- err
	}()
	out, err := probe.Read(pr, mark)
	pr.CloseWithError(io.ErrClosedPipe)
	out, err = ended(ctx, out, errors.Join(err, <-done), complaints.String())
	if err != nil && sudo && strings.Contains(err.Error(), "sudo") {
		return nil, katprep.Errorf(katprep.Denied, "become root on %s: %w", h.Name, err).
			WithHint("let the user run /bin/sh -s as root without a password: NAME ALL=(root) NOPASSWD: /bin/sh -s")
	}
	return out, err
}
