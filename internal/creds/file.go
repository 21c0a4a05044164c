package creds

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stdevel/katprep"
)

// PassphraseVariable holds the passphrase of the credential file where no
// person can type it. A file katprep.passphrase among systemd's credentials
// does the same.
const PassphraseVariable = "KATPREP_CREDENTIALS_PASSPHRASE"

// workFactor is how dear a guess of the passphrase is: 128 MB of memory and
// half a second. age's own 18 would double what every run of katprep pays.
const workFactor = 17

// fileFormat is the version of the credential file.
const fileFormat = 1

// A File is an opened credential file: JSON, encrypted with age for a
// passphrase or for recipients. Nothing is written before Save.
type File struct {
	path       string
	raw        []byte // as it was read, to notice changes by others; nil for a new file
	passphrase Secret // "" if the file has recipients
	workFactor int    // of scrypt, 0 = the constant
	content    content
}

type content struct {
	Format      int              `json:"format"`
	Recipients  []string         `json:"recipients,omitempty"` // for whom it is encrypted, to do so again
	Credentials map[string]entry `json:"credentials"`
}

type entry struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// NewFile makes an empty credential file that is not there yet. It has no
// protection until Protect or ProtectFor was called.
func NewFile(path string) *File {
	return &File{path: path, content: content{Format: fileFormat, Credentials: map[string]entry{}}}
}

// A Key opens credential files.
type Key struct {
	Identity   string                                                 // file with an age or SSH private key
	Passphrase func(ctx context.Context) (Secret, error)              // of the credential file
	Unlock     func(ctx context.Context, what string) (Secret, error) // of the private key, if it has one
}

// OpenFile reads a credential file. Errors are of kind katprep.NotFound if
// there is none, katprep.Denied if others may read it, katprep.Unlock if the
// key does not fit, katprep.Corrupt if it is damaged.
func OpenFile(ctx context.Context, path string, k Key) (*File, error) {
	raw, err := readSecretFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, katprep.Errorf(katprep.NotFound, "credential file: %w", err).WithHint("katprep auth add NAME makes it")
	}
	if err != nil {
		return nil, fmt.Errorf("credential file: %w", err)
	}
	f := &File{path: path, raw: raw}
	ids, err := f.identities(ctx, k)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(dearmor(raw), ids...)
	if err != nil {
		return nil, f.unlockError(err)
	}
	plain, err := readBounded(r, path)
	if err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "credential file %s is damaged: %w", path, err)
	}
	defer clear(plain)
	return f, f.decode(plain)
}

func (f *File) decode(plain []byte) error {
	if err := json.Unmarshal(plain, &f.content); err != nil {
		// The decoder's own text could quote what it read.
		return katprep.Errorf(katprep.Corrupt, "credential file %s does not hold katprep's credentials", f.path)
	}
	if f.content.Format != fileFormat {
		return katprep.Errorf(katprep.Invalid, "credential file %s has format %d, and this program knows %d", f.path, f.content.Format, fileFormat).
			WithHint("use a newer katprep")
	}
	if f.content.Credentials == nil {
		f.content.Credentials = map[string]entry{}
	}
	return nil
}

func (f *File) unlockError(err error) error {
	var no *age.NoIdentityMatchError
	if errors.As(err, &no) || errors.Is(err, age.ErrIncorrectIdentity) {
		if !f.passphrase.IsZero() {
			return katprep.Errorf(katprep.Unlock, "credential file %s: wrong passphrase", f.path)
		}
		return katprep.Errorf(katprep.Unlock, "credential file %s is not encrypted for this key", f.path).
			WithHint("set credentials.identity to the private key of one of its recipients")
	}
	return katprep.Errorf(katprep.Corrupt, "credential file %s: %w", f.path, err)
}

func dearmor(raw []byte) io.Reader {
	if bytes.HasPrefix(raw, []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(raw))
	}
	return bytes.NewReader(raw)
}

// identities finds out how the file is protected and gets the key for it.
func (f *File) identities(ctx context.Context, k Key) ([]age.Identity, error) {
	byPassphrase, err := hasPassphrase(f.raw)
	if err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "credential file %s is not an age file", f.path)
	}
	if !byPassphrase {
		return readIdentity(ctx, k)
	}
	if k.Passphrase == nil {
		return nil, noPassphrase(f.path)
	}
	if f.passphrase, err = k.Passphrase(ctx); err != nil {
		return nil, err
	}
	if f.passphrase.IsZero() {
		return nil, noPassphrase(f.path)
	}
	id, err := age.NewScryptIdentity(f.passphrase.Reveal())
	if err != nil {
		return nil, fmt.Errorf("credential file %s: %w", f.path, err)
	}
	id.SetMaxWorkFactor(20) // about four seconds: a foreign file must not stall us longer
	return []age.Identity{id}, nil
}

func noPassphrase(path string) error {
	return katprep.Errorf(katprep.Unlock, "credential file %s needs its passphrase, and nobody is there to type it", path).
		WithHint("set %s, or encrypt the file for a key with katprep auth password --recipient", PassphraseVariable)
}

// hasPassphrase reads the header's first stanza.
func hasPassphrase(raw []byte) (bool, error) {
	header, err := age.ExtractHeader(dearmor(raw))
	if err != nil {
		return false, err
	}
	return bytes.Contains(header, []byte("\n-> scrypt ")), nil
}

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// IsNew reports whether the file was never saved.
func (f *File) IsNew() bool { return f.raw == nil }

// Names returns the names of the credentials, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.content.Credentials)) }

// Get returns a credential.
func (f *File) Get(name string) (Login, bool) {
	e, ok := f.content.Credentials[name]
	return Login{User: e.User, Password: NewSecret(e.Password)}, ok
}

// Set adds or replaces a credential.
func (f *File) Set(name string, l Login) {
	f.content.Credentials[name] = entry{l.User, l.Password.Reveal()}
}

// Remove removes a credential and reports whether it was there.
func (f *File) Remove(name string) bool {
	_, ok := f.content.Credentials[name]
	delete(f.content.Credentials, name)
	return ok
}

// Recipients returns for whom the file is encrypted; none if it has a
// passphrase.
func (f *File) Recipients() []string { return slices.Clone(f.content.Recipients) }

// Protect makes Save encrypt the file with a passphrase.
func (f *File) Protect(passphrase Secret) error {
	if len(passphrase.Reveal()) < 8 {
		return katprep.Errorf(katprep.Invalid, "a passphrase has at least 8 characters")
	}
	f.passphrase, f.content.Recipients = passphrase, nil
	return nil
}

// ProtectFor makes Save encrypt the file for recipients: age1… keys or SSH
// public keys.
func (f *File) ProtectFor(recipients []string) error {
	if _, err := parseRecipients(recipients); err != nil {
		return err
	}
	f.passphrase, f.content.Recipients = Secret{}, slices.Clone(recipients)
	return nil
}

// Save encrypts and writes the file: whole or not at all, for its owner
// alone. It is an error of kind katprep.Conflict if the file was changed
// since it was opened, and katprep.Locked if somebody else is writing it.
func (f *File) Save() error {
	out, err := f.encrypt()
	if err != nil {
		return fmt.Errorf("credential file %s: %w", f.path, err)
	}
	if err := f.replace(out); err != nil {
		return fmt.Errorf("credential file: %w", err)
	}
	f.raw = out
	return nil
}

func (f *File) encrypt() ([]byte, error) {
	to, err := f.recipients()
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(f.content)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), text.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (f *File) recipients() ([]age.Recipient, error) {
	if len(f.content.Recipients) > 0 {
		return parseRecipients(f.content.Recipients)
	}
	if f.passphrase.IsZero() {
		return nil, katprep.Errorf(katprep.Unlock, "neither a passphrase nor a recipient was given")
	}
	r, err := age.NewScryptRecipient(f.passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(cmp.Or(f.workFactor, workFactor))
	return []age.Recipient{r}, nil
}

// fromFile looks into the credential file, which is opened once, when it is
// first needed. A file that is not there has nothing.
func (f *Finder) fromFile(ctx context.Context, r Request) (Login, error) {
	if f.o.File == "" {
		return Login{}, nil
	}
	file, err := f.own(ctx)
	if katprep.KindOf(err) == katprep.NotFound {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, err
	}
	l, _ := file.Get(r.Name)
	return l, nil
}

// Open opens a credential file with the keys that the Finder knows of. Its
// own file is opened once only: a passphrase is not asked for twice.
func (f *Finder) Open(ctx context.Context, path string) (*File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path != f.o.File {
		return OpenFile(ctx, path, f.key(path))
	}
	return f.own(ctx)
}

// own opens the configured file once.
func (f *Finder) own(ctx context.Context) (*File, error) {
	if f.file != nil {
		return f.file, nil
	}
	file, err := OpenFile(ctx, f.o.File, f.key(f.o.File))
	if err == nil {
		f.file = file
	}
	return file, err
}

func (f *Finder) key(path string) Key {
	return Key{
		Identity:   f.o.Identity,
		Passphrase: func(ctx context.Context) (Secret, error) { return f.passphrase(ctx, "Passphrase of "+path+": ") },
		Unlock: func(ctx context.Context, what string) (Secret, error) {
			if f.o.Prompt == nil {
				return Secret{}, nil
			}
			p, err := f.o.Prompt.Ask(ctx, "Passphrase of "+what+": ", true)
			return NewSecret(p), err
		},
	}
}

// passphrase returns the credential file's passphrase: from the environment,
// from systemd, or from a person.
func (f *Finder) passphrase(ctx context.Context, question string) (Secret, error) {
	if p := f.o.Env[PassphraseVariable]; p != "" {
		return NewSecret(p), nil
	}
	l, err := f.fromSystemd(ctx, Request{Name: "katprep.passphrase"})
	if err != nil || !l.Password.IsZero() {
		return l.Password, err
	}
	if f.o.Prompt == nil {
		return Secret{}, nil
	}
	p, err := f.o.Prompt.Ask(ctx, question, true)
	return NewSecret(p), err
}
