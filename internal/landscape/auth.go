package landscape

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// A User may log in.
type User struct {
	Login    string
	Password string
	Tokens   []string // personal access tokens, used like passwords
	Disabled bool
	Admin    bool // may everything

	// Permissions are Foreman's names of what a user who is no admin may:
	// view_hosts, edit_hosts, create_job_invocations …
	Permissions   []string
	Organizations []string // empty: all
}

func (u *User) may(permission string) bool {
	return u.Admin || permission == "" || slices.Contains(u.Permissions, permission)
}

func (u *User) inOrg(id int) bool {
	if len(u.Organizations) == 0 {
		return true
	}
	p, _ := placeByID(organizations, id)
	return slices.Contains(u.Organizations, p.name)
}

const (
	sessionLife  = 60 * time.Minute // idle_timeout
	lockoutAfter = 30
	lockoutSpan  = 5 * time.Minute
)

// gates know who is logged in and who failed to.
type gates struct {
	users    []User
	sessions map[string]*session
	failures map[string][]time.Time // by client address
	made     uint64
}

type session struct {
	user *User
	used time.Time
}

func newGates(users []User) *gates {
	return &gates{users: users, sessions: map[string]*session{}, failures: map[string][]time.Time{}}
}

// login finds out who asks. The cookie is set for a new session.
func (s *Server) login(r *http.Request, header http.Header) (*User, *reply) {
	now := s.clock.now()
	if c, err := r.Cookie("_session_id"); err == nil {
		if old := s.gates.sessions[c.Value]; old != nil && now.Sub(old.used) < sessionLife && !old.user.Disabled {
			old.used = now
			return old.user, nil
		}
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	name, password, _ := r.BasicAuth()
	if s.gates.lockedOut(from, now) {
		return nil, fail(http.StatusUnauthorized, "Too many tries, please try again in a few minutes.")
	}
	s.stats.PasswordChecks++
	u := s.gates.check(name, password)
	switch {
	case u == nil:
		s.gates.failures[from] = append(s.gates.failures[from], now)
		return nil, fail(http.StatusUnauthorized, "Unable to authenticate user "+name)
	case u.Disabled:
		return nil, fail(http.StatusUnauthorized, "User account is disabled, please contact your administrator")
	}
	delete(s.gates.failures, from)
	s.gates.made++
	id := fmt.Sprintf("%016x%016x", mix(s.o.Seed, s.gates.made), mix(s.o.Seed, s.gates.made, 1))
	s.gates.sessions[id] = &session{u, now}
	http.SetCookie(headerWriter(header), &http.Cookie{Name: "_session_id", Value: id, Path: "/", HttpOnly: true, Secure: r.TLS != nil})
	return u, nil
}

func (g *gates) check(name, password string) *User {
	for i := range g.users {
		u := &g.users[i]
		if u.Login == name && password != "" && (password == u.Password || slices.Contains(u.Tokens, password)) {
			return u
		}
	}
	return nil
}

func (g *gates) lockedOut(from string, now time.Time) bool {
	n := 0
	for _, t := range g.failures[from] {
		if now.Sub(t) < lockoutSpan {
			n++
		}
	}
	return n >= lockoutAfter
}

// ExpireSessions forgets all sessions, as a restart of the server does.
func (s *Server) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.gates.sessions)
}

// headerWriter lets http.SetCookie write into a header.
type headerWriter http.Header

func (h headerWriter) Header() http.Header       { return http.Header(h) }
func (h headerWriter) Write([]byte) (int, error) { return 0, nil }
func (h headerWriter) WriteHeader(int)           {}
