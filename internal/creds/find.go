package creds

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
)

// Options say where credentials may come from.
type Options struct {
	Env      map[string]string   // the environment
	File     string              // age-encrypted credential file; "" = none
	Identity string              // file of the key that opens it, if it has recipients
	Command  []string            // prints a password; {{name}} is the credential's name
	Commands map[string][]string // the same for single credentials
	Keyring  bool                // ask the keyring of the desktop or system
	Prompt   Prompter            // asks a person; nil = nobody is there
}

// A Request asks for one credential.
type Request struct {
	Name string // in the configuration
	Kind Kind   // what the system is
	Only bool   // it is the only system of its kind: the predecessor's variables count
	For  string // whom it is for, for a prompt: "satellite at https://…"; "" = Name
}

// Kind is what a system is; each had its own variables in the predecessor.
type Kind string

// The kinds of system.
const (
	Management     Kind = "management"
	Monitoring     Kind = "monitoring"
	Virtualization Kind = "virtualization"
	Other          Kind = ""
)

// Origin says where a credential came from, for people.
type Origin string

// A Finder finds credentials, each only once. It is safe for concurrent use.
type Finder struct {
	o       Options
	keyring keyringStore

	mu    sync.Mutex // also keeps two questions from being asked at a time
	known map[string]found
	file  *File
}

type found struct {
	login  Login
	origin Origin
}

// New returns a Finder. Nothing is read yet.
func New(o Options) *Finder {
	return &Finder{o: o, keyring: systemKeyring{}, known: map[string]found{}}
}

// A source looks for a credential; a zero Login with a nil error means that
// it has none.
type source struct {
	origin Origin
	look   func(ctx context.Context, r Request) (Login, error)
}

// sources lists the places in the order of docs/credentials.md.
func (f *Finder) sources() []source {
	return []source{
		{"environment", f.fromEnv},
		{"systemd credentials", f.fromSystemd},
		{"command", f.fromOwnCommand},
		{"credential file", f.fromFile},
		{"command", f.fromCommand},
		{"keyring", f.fromKeyring},
	}
}

// Find returns the credential and where it came from. The places are asked in
// one order, and the first that has a password decides; a user name that an
// earlier place gave is kept, and a password that belongs to another user is
// not taken for it. If no place has one and a person is there, the person is
// asked. Errors are of kind katprep.NotFound if nobody has it, katprep.Unlock
// if the file cannot be opened.
func (f *Finder) Find(ctx context.Context, r Request) (Login, Origin, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k, ok := f.known[r.Name]; ok {
		return k.login, k.origin, nil
	}
	var user string
	for _, s := range f.sources() {
		l, err := s.look(ctx, r)
		if err != nil {
			return Login{}, "", fmt.Errorf("credential %s: %s: %w", r.Name, s.origin, err)
		}
		if user != "" && l.User != "" && l.User != user {
			continue
		}
		if user == "" {
			user = l.User
		}
		if l.Password.IsZero() {
			continue
		}
		l.User = user
		return f.keep(ctx, r, l, s.origin)
	}
	return f.ask(ctx, r, user)
}

// Lookup is Find without ever asking a person for the credential itself.
func (f *Finder) Lookup(ctx context.Context, r Request) (Login, Origin, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	quiet := &Finder{o: f.o, keyring: f.keyring, known: map[string]found{}, file: f.file}
	if f.o.File != "" && f.file == nil && f.o.Prompt != nil {
		// The file may ask for its passphrase; then it stays open for all.
		if _, err := f.fromFile(ctx, r); err != nil {
			return Login{}, "", fmt.Errorf("credential %s: credential file: %w", r.Name, err)
		}
		quiet.file = f.file
	}
	quiet.o.Prompt = nil
	return quiet.Find(ctx, r)
}

// keep completes a login that has a password but perhaps no user.
func (f *Finder) keep(ctx context.Context, r Request, l Login, o Origin) (Login, Origin, error) {
	if l.User == "" {
		if f.o.Prompt == nil {
			return Login{}, "", katprep.Errorf(katprep.NotFound, "credential %s: the %s has a password but no user name", r.Name, o).
				WithHint("set %s_USER", EnvName(r.Name))
		}
		user, err := f.o.Prompt.Ask(ctx, "User for "+r.title()+": ", false)
		if err != nil {
			return Login{}, "", fmt.Errorf("credential %s: %w", r.Name, err)
		}
		l.User = user
	}
	f.known[r.Name] = found{l, o}
	return l, o, nil
}

// ask is the last resort.
func (f *Finder) ask(ctx context.Context, r Request, user string) (Login, Origin, error) {
	if f.o.Prompt == nil {
		return Login{}, "", katprep.Errorf(katprep.NotFound, "no credential %q was found in %s", r.Name, f.places()).
			WithHint("katprep auth add %s, or set %s_USER and %s_PASSWORD", r.Name, EnvName(r.Name), EnvName(r.Name))
	}
	var err error
	if user == "" {
		if user, err = f.o.Prompt.Ask(ctx, "User for "+r.title()+": ", false); err != nil {
			return Login{}, "", fmt.Errorf("credential %s: %w", r.Name, err)
		}
	}
	password, err := f.o.Prompt.Ask(ctx, "Password of "+user+" for "+r.title()+": ", true)
	if err != nil {
		return Login{}, "", fmt.Errorf("credential %s: %w", r.Name, err)
	}
	if user == "" || password == "" {
		return Login{}, "", katprep.Errorf(katprep.Denied, "credential %s: empty user name or password", r.Name)
	}
	l := Login{User: user, Password: NewSecret(password)}
	f.known[r.Name] = found{l, "prompt"}
	return l, "prompt", nil
}

func (r Request) title() string {
	if r.For != "" {
		return r.For
	}
	return r.Name
}

// places lists where was looked, for an error.
func (f *Finder) places() string {
	list := []string{"the environment"}
	if f.o.Env["CREDENTIALS_DIRECTORY"] != "" {
		list = append(list, "systemd credentials")
	}
	if f.o.File != "" {
		list = append(list, f.o.File)
	}
	if len(f.o.Command)+len(f.o.Commands) > 0 {
		list = append(list, "the command")
	}
	if f.o.Keyring {
		list = append(list, "the keyring")
	}
	return strings.Join(list, ", ")
}
