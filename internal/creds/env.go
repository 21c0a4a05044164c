package creds

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stdevel/katprep"
)

// EnvName returns the beginning of the variables of a credential:
// KATPREP_CREDENTIAL_<NAME>, to which _USER and _PASSWORD are added. All but
// letters and digits become "_".
func EnvName(name string) string {
	return "KATPREP_CREDENTIAL_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// oldPrefixes are the predecessor's variables: <PREFIX>_LOGIN and
// <PREFIX>_PASSWORD.
func oldPrefixes(k Kind) []string {
	switch k {
	case Management:
		return []string{"FOREMAN", "SATELLITE"}
	case Monitoring:
		return []string{"MONITORING"}
	case Virtualization:
		return []string{"VIRTUALIZATION"}
	}
	return nil
}

func (f *Finder) fromEnv(_ context.Context, r Request) (Login, error) {
	key := EnvName(r.Name)
	l := Login{User: f.o.Env[key+"_USER"], Password: NewSecret(f.o.Env[key+"_PASSWORD"])}
	if !l.Password.IsZero() || !r.Only {
		return l, nil
	}
	for _, prefix := range oldPrefixes(r.Kind) {
		old := Login{User: f.o.Env[prefix+"_LOGIN"], Password: NewSecret(f.o.Env[prefix+"_PASSWORD"])}
		if !old.Password.IsZero() && (l.User == "" || l.User == old.User) {
			return old, nil
		}
	}
	return l, nil
}

// fromSystemd reads the file that systemd's LoadCredential= or
// SetCredentialEncrypted= made for the service: its first line is the
// password, and a further line "user: NAME" the user.
func (f *Finder) fromSystemd(_ context.Context, r Request) (Login, error) {
	dir := f.o.Env["CREDENTIALS_DIRECTORY"]
	if dir == "" || !isFileName(r.Name) {
		return Login{}, nil
	}
	b, err := readSecretFile(filepath.Join(dir, r.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, err
	}
	return parsePass(string(b)), nil
}

func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00")
}

// parsePass reads what password managers print: the password on the first
// line, "user: NAME" (or username, login) on a further one.
func parsePass(text string) Login {
	first, rest, _ := strings.Cut(text, "\n")
	l := Login{Password: NewSecret(strings.TrimSuffix(first, "\r"))}
	for line := range strings.Lines(rest) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "user", "username", "login":
			l.User = strings.TrimSpace(value)
			return l
		}
	}
	return l
}

// maxSecretFile bounds what is read of a file or command.
const maxSecretFile = 1 << 20

// readSecretFile reads a file that only its owner may read.
func readSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := checkMode(file); err != nil {
		return nil, err
	}
	return readBounded(file, path)
}

// checkMode refuses files that others than the owner may read or write.
func checkMode(file *os.File) error {
	st, err := file.Stat()
	if err != nil {
		return err
	}
	switch {
	case !st.Mode().IsRegular():
		return katprep.Errorf(katprep.Invalid, "%s is not a file", file.Name())
	case runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0: // Windows has no such bits
		return katprep.Errorf(katprep.Denied, "%s is open to others than its owner (mode %04o)", file.Name(), st.Mode().Perm()).
			WithHint("chmod 600 %s, and change what was in it if others could read it", file.Name())
	}
	return nil
}
