// Package mask keeps secrets out of the archive: it finds values that are
// secret by their name or by their shape, and replaces them before they are
// written. It errs on the side of hiding.
package mask

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/stdevel/katprep"
)

// Masked stands for a value that was replaced.
const Masked = "(masked)"

// Rules say what is secret. The zero value holds the built-in rules.
type Rules struct {
	// Names are further globs for the names of parameters and facts, without
	// regard to case.
	Names []string
}

// words in a name that make its value a secret, alone or next to each other.
var (
	words = map[string]bool{"password": true, "passwd": true, "passphrase": true, "passwort": true, "kennwort": true, "pass": true,
		"pwd": true, "pw": true, "secret": true, "secrets": true, "token": true, "tokens": true, "credential": true, "credentials": true,
		"apikey": true, "bearer": true, "cookie": true, "otp": true, "totp": true, "pin": true, "psk": true, "privkey": true,
		"psw": true, "pswd": true, "rootpw": true, "bindpw": true, "dbpw": true, "adminpw": true, "userpw": true, "ldappw": true, "sudopw": true,
		"rootpass": true, "dbpass": true, "userpass": true, "adminpass": true, "sshpass": true, "authpass": true, "privpass": true, "becomepass": true, "sudopass": true,
		"passhash": true, "pwhash": true, "secretkey": true, "privatekey": true, "accesskey": true, "masterkey": true, "encryptionkey": true,
		"keytab": true, "jwt": true, "creds": true, "cred": true, "webhook": true, "wachtwoord": true, "senha": true, "motdepasse": true}
	pairs = map[string]bool{"api key": true, "access key": true, "private key": true, "secret key": true, "encryption key": true,
		"auth key": true, "client secret": true, "snmp community": true, "session key": true, "host key": true, "ssh key": true,
		"signing key": true, "master key": true, "shared key": true, "license key": true, "luks key": true, "age key": true, "basic auth": true,
		"recovery key": true, "unlock key": true, "storage key": true, "account key": true, "subscription key": true, "connection string": true,
		"pre shared": true, "mot de": true, "user key": true, "auth string": true}
	// endings of words that are written without a gap: "clientsecret".
	endings = []string{"password", "passwd", "passwort", "passphrase", "passcode", "kennwort", "secret", "token", "apikey", "credential", "credentials"}
)

// telling are the words of which a text with a password has one.
var telling = []string{"pass", "kennwort", "pwd", "secret", "token", "psk", "bindpw", "rootpw", "key", "community"}

// A shape is what one kind of secret looks like.
type shape struct {
	why  string
	hint string   // a text that must be there, to be quick
	any  []string // one of these must be there, in small letters, to be quick
	re   *regexp.Regexp
}

// shapes are what secrets look like, wherever they are.
var shapes = []shape{
	{"a private key", "PRIVATE KEY", nil, regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY`)},
	{"an age key", "AGE-SECRET-KEY-", nil, regexp.MustCompile(`AGE-SECRET-KEY-1[0-9A-Z]{20,}`)},
	{"a password hash", "$", nil, regexp.MustCompile(`(?:^|[\s"':=])\$(?:1|2[abxy]?|5|6|7|8|9|y|gy|P|H|apr1|sha1|md5|argon2id?|argon2d|scrypt|bcrypt[a-z0-9-]*|pbkdf2[a-z0-9-]*)\$[^\s"]{8,}`)},
	{"an encrypted value of Ansible", "$ANSIBLE_VAULT", nil, regexp.MustCompile(`\$ANSIBLE_VAULT;`)},
	{"an access key of AWS", "", []string{"akia", "asia"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a token of GitHub", "g", nil, regexp.MustCompile(`\b(?:gh[pousr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,})`)},
	{"a token of GitLab", "gl", nil, regexp.MustCompile(`\bgl(?:pat|ptt|rt|dt|cbt|oas|soat|ft|imt|agent)-[0-9A-Za-z_-]{16,}`)},
	{"a token of Slack", "xox", nil, regexp.MustCompile(`\bxox[abeoprs]-[0-9A-Za-z-]{10,}`)},
	{"a token of Vault", "hv", nil, regexp.MustCompile(`\bhv[sbr]\.[0-9A-Za-z_-]{20,}`)},
	{"a key of Google", "AIza", nil, regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"a web token", "eyJ", nil, regexp.MustCompile(`\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*`)},
	{"a password in a URL", "://", nil, regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:[^\s/@"']+@`)},
	{"a header with a credential", "", []string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+[0-9a-z+/_.=-]{16,}`)},
	{"a private key of PuTTY", "PuTTY-User-Key-File", nil, regexp.MustCompile(`PuTTY-User-Key-File-\d`)},
	{"a password hash of LDAP", "}", nil, regexp.MustCompile(`(?i)\{(?:s?sha\d*|s?md5|crypt|argon2)\}[0-9a-z+/=.$]{8,}`)},
	{"a password hash of MySQL", "*", nil, regexp.MustCompile(`(?:^|[\s"'=:])\*[0-9A-F]{40}\b`)},
	{"a password hash of GRUB", "grub.pbkdf2", nil, regexp.MustCompile(`grub\.pbkdf2\.sha512\.\S+`)},
	{"a token of npm", "npm_", nil, regexp.MustCompile(`\bnpm_[0-9A-Za-z]{30,}`)},
	{"a token of PyPI", "pypi-", nil, regexp.MustCompile(`\bpypi-[0-9A-Za-z_-]{16,}`)},
	{"a token of Docker", "dckr_", nil, regexp.MustCompile(`\bdckr_[a-z]+_[0-9A-Za-z_-]{16,}`)},
	{"a token of Grafana", "gl", nil, regexp.MustCompile(`\bgl(?:sa|c)_[0-9A-Za-z_=]{20,}`)},
	{"a token of DigitalOcean", "_v1_", nil, regexp.MustCompile(`\bdo[opr]_v1_[0-9a-f]{32,}`)},
	{"a token of Terraform", ".atlasv1.", nil, regexp.MustCompile(`[0-9A-Za-z]{8,}\.atlasv1\.[0-9A-Za-z_=-]{20,}`)},
	{"a token of Telegram", ":AA", nil, regexp.MustCompile(`\b\d{8,10}:AA[0-9A-Za-z_-]{30,}`)},
	{"a key of Stripe", "k_", nil, regexp.MustCompile(`\b[rs]k_(?:live|test)_[0-9A-Za-z]{10,}`)},
	{"a key of SendGrid", "SG.", nil, regexp.MustCompile(`\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}`)},
	{"a key of a language model's service", "sk-", nil, regexp.MustCompile(`\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{24,}`)},
	{"a key of Azure", "Key=", nil, regexp.MustCompile(`(?:AccountKey|SharedAccessKey)=[0-9A-Za-z+/=]{20,}`)},
	{"a signature that opens a URL", "sig=", nil, regexp.MustCompile(`[?&]sig=[0-9A-Za-z%_-]{20,}`)},
	{"a signature that opens a URL", "Signature=", nil, regexp.MustCompile(`[?&](?:X-Amz-Signature|X-Goog-Signature|Signature)=[0-9A-Za-z%_-]{20,}`)},
	{"a webhook", "hook", nil, regexp.MustCompile(`(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks|webhook\.office\.com)/\S+`)},
	{"a key of WireGuard", "Key", nil, regexp.MustCompile(`(?:PrivateKey|PresharedKey)\s*=\s*[0-9A-Za-z+/]{42,43}=`)},
	{"a password on a command line", "-", nil, regexp.MustCompile(`(?i)(?:^|\s)--?(?:password|passwd|passphrase|pass|token|secret|api-key|client-secret)(?:\s+|=)["']?[^\s"'-][^\s"']*`)},
	{"a password on a command line", "sshpass", nil, regexp.MustCompile(`\bsshpass\s+-p\s*\S+`)},
	{"a password on a command line", ":", nil, regexp.MustCompile(`(?:^|\s)(?:-u|--user|--proxy-user)[\s=]+["']?[^\s:"']+:[^\s"']+`)},
	{"a password in SQL", "'", nil, regexp.MustCompile(`(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?'[^']+'`)},
	{"a password in XML", "</", nil, regexp.MustCompile(`(?i)<[\w:.-]*(?:password|passwd|passphrase|secret|token|apikey)(?:\s[^>]*)?>[^<]+</`)},
	{"a password in a text", "", telling, regexp.MustCompile(`(?i)(?:^|[^0-9a-z])(?:[0-9a-z]*(?:password|passwd|passphrase|passwort|kennwort|secret|token)|pass|pwd|psk|bindpw|rootpw|api[_-]?key|access[_-]?key|private[_-]?key|community)["']?\s*[:=]\s*["']?[^\s"',;&]{2,}`)},
}

// Value says why a text is a secret by its shape, or "".
func (r *Rules) Value(s string) string {
	if len(s) < 6 || s == Masked {
		return ""
	}
	lower := strings.ToLower(s)
	for i := range shapes {
		if shapes[i].may(s, lower) && shapes[i].re.MatchString(s) {
			return shapes[i].why
		}
	}
	return ""
}

// may reports whether it is worth a closer look. lower is s in small letters.
func (sh *shape) may(s, lower string) bool {
	if sh.hint != "" && !strings.Contains(s, sh.hint) {
		return false
	}
	return sh.any == nil || slices.ContainsFunc(sh.any, func(w string) bool { return strings.Contains(lower, w) })
}

// Name says why everything of a name is a secret, or "".
func (r *Rules) Name(name string) string {
	lower := strings.ToLower(name)
	for _, g := range r.Names {
		if ok, err := path.Match(strings.ToLower(g), strings.ReplaceAll(lower, "/", "_")); ok && err == nil {
			return "its name matches " + g
		}
	}
	list := split(name)
	for i, w := range list {
		if words[w] || i > 0 && pairs[list[i-1]+" "+w] || slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(w, e) }) {
			return "its name says so"
		}
	}
	return ""
}

// split parts a name into lower-case words, at whatever is no letter and
// where a capital follows a small letter.
func split(name string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	small := false
	for _, c := range name {
		if !unicode.IsLetter(c) {
			flush()
			small = false
			continue
		}
		if unicode.IsUpper(c) && small {
			flush()
		}
		small = unicode.IsLower(c)
		word.WriteRune(unicode.ToLower(c))
	}
	flush()
	return out
}

// harmless are values that hide nothing even under a telling name, such as
// "password_expires = true".
func harmless(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "true", "false", "yes", "no", "null", "none", "[]", "{}", strings.ToLower(Masked):
		return true
	}
	return false
}

// Secret says why a named value must not be written, or "". Public keys are
// not secret whatever they are called.
func (r *Rules) Secret(name, value string) string {
	if harmless(value) {
		return ""
	}
	if why := r.Value(value); why != "" {
		return why
	}
	if why := r.Name(name); why != "" && !public(value) {
		return why
	}
	return r.inside(value)
}

func public(value string) bool {
	for _, p := range []string{"ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "-----BEGIN CERTIFICATE", "-----BEGIN PUBLIC KEY"} {
		if strings.HasPrefix(strings.TrimLeft(value, "[\" "), p) {
			return true
		}
	}
	return false
}

// inside looks into a value that is JSON: parameters of type hash and array.
func (r *Rules) inside(value string) string {
	v := strings.TrimSpace(value)
	if v == "" || v[0] != '{' && v[0] != '[' {
		return ""
	}
	var doc any
	if json.Unmarshal([]byte(v), &doc) != nil {
		return ""
	}
	return r.walk("", doc, 0)
}

func (r *Rules) walk(name string, doc any, depth int) string {
	if depth > 50 {
		return "it is nested too deep to look into"
	}
	switch d := doc.(type) {
	case map[string]any:
		for k, v := range d {
			if why := r.walk(k, v, depth+1); why != "" {
				return "a value in it is secret"
			}
		}
	case []any:
		for _, v := range d {
			if why := r.walk(name, v, depth+1); why != "" {
				return "a value in it is secret"
			}
		}
	case string:
		if name != "" && !harmless(d) && r.Name(name) != "" && !public(d) || r.Value(d) != "" {
			return "a value in it is secret"
		}
	case float64:
		if r.Name(name) != "" {
			return "a value in it is secret"
		}
	}
	return ""
}

// Text replaces what is secret by its shape within a text for people.
func (r *Rules) Text(s string) string {
	for _, shape := range shapes {
		if !shape.may(s, strings.ToLower(s)) {
			continue
		}
		if (strings.Contains(shape.why, "private key") || strings.Contains(shape.why, "Ansible")) && shape.re.MatchString(s) {
			return Masked // nobody knows where it ends
		}
		s = shape.re.ReplaceAllString(s, " "+Masked)
	}
	return s
}

// State masks a state. The lists of the caller are not changed.
func (r *Rules) State(s *katprep.State) {
	for i, p := range s.Parameters {
		if !p.Masked && r.Secret(p.Name, p.Value) != "" {
			s.Parameters = slices.Clone(s.Parameters)
			r.parameters(s.Parameters[i:])
			break
		}
	}
	for k, v := range s.Facts.Extra {
		if r.Secret(k, v) != "" {
			s.Facts.Extra = r.facts(s.Facts.Extra)
			break
		}
	}
	if r.Value(s.Facts.Comment) != "" {
		s.Facts.Comment = r.Text(s.Facts.Comment)
	}
	for i, p := range s.Problems {
		if r.Value(p.Message) != "" {
			s.Problems = slices.Clone(s.Problems)
			for j := i; j < len(s.Problems); j++ {
				s.Problems[j].Message = r.Text(s.Problems[j].Message)
			}
			break
		}
	}
}

func (r *Rules) parameters(list []katprep.Parameter) {
	for i := range list {
		if p := &list[i]; !p.Masked && r.Secret(p.Name, p.Value) != "" {
			p.Value, p.Masked = Masked, true
		}
	}
}

func (r *Rules) facts(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		if r.Secret(k, v) != "" {
			v = Masked
		}
		out[k] = v
	}
	return out
}

// Entry masks a journal entry; what it holds is not changed.
func (r *Rules) Entry(e katprep.Entry) katprep.Entry {
	e.Message = r.Text(e.Message)
	if len(e.Data) == 0 {
		return e
	}
	data := make(map[string]string, len(e.Data))
	for k, v := range e.Data {
		if harmless(v) || r.Name(k) == "" {
			data[k] = r.Text(v)
		} else {
			data[k] = Masked
		}
	}
	e.Data = data
	return e
}

// Snapshot masks what a snapshot says of its sources and gaps. The lists of
// the caller are not changed.
func (r *Rules) Snapshot(s katprep.Snapshot) katprep.Snapshot {
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		s.Sources[i].Problem = r.Text(s.Sources[i].Problem)
	}
	s.Gaps = slices.Clone(s.Gaps)
	for i := range s.Gaps {
		g := &s.Gaps[i]
		g.Problems = slices.Clone(g.Problems)
		for j := range g.Problems {
			g.Problems[j].Message = r.Text(g.Problems[j].Message)
		}
	}
	s.Warnings = slices.Clone(s.Warnings)
	for i := range s.Warnings {
		s.Warnings[i].Message = r.Text(s.Warnings[i].Message)
	}
	return s
}

// Decision masks what a person wrote.
func (r *Rules) Decision(d katprep.Decision) katprep.Decision {
	d.Comment = r.Text(d.Comment)
	return d
}

// Exceptions masks what persons wrote. The caller's list is not changed.
func (r *Rules) Exceptions(list []katprep.Exception) []katprep.Exception {
	list = slices.Clone(list)
	for i := range list {
		list[i].Reason = r.Text(list[i].Reason)
	}
	return list
}

// A Leak is a secret that a state holds unmasked. It does not repeat it.
type Leak struct {
	Field string `json:"field"` // "parameter x", "fact y", "comment", "problem"
	Why   string `json:"why"`
}

// Leaks finds what State would mask.
func (r *Rules) Leaks(s *katprep.State) []Leak {
	var out []Leak
	add := func(field, why string) {
		if why != "" {
			out = append(out, Leak{field, why})
		}
	}
	for _, p := range s.Parameters {
		if !p.Masked {
			add("parameter "+p.Name, r.Secret(p.Name, p.Value))
		}
	}
	keys := make([]string, 0, len(s.Facts.Extra))
	for k := range s.Facts.Extra {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		add("fact "+k, r.Secret(k, s.Facts.Extra[k]))
	}
	add("comment", r.Value(s.Facts.Comment))
	for _, p := range s.Problems {
		add("problem", r.Value(p.Message))
	}
	return out
}
