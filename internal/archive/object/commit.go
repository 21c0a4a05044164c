package object

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Signature is a person and a time, as in "Ann <ann@example.com> 1 +0000".
type Signature struct {
	Name  string
	Email string
	When  time.Time
}

// String returns the signature as Git writes it, always in UTC. What would
// break the line is taken out of the name and address.
func (s Signature) String() string {
	return fmt.Sprintf("%s <%s> %d +0000", clean(s.Name), clean(s.Email), s.When.Unix())
}

// Clean returns the name as Git keeps it.
func (s Signature) Clean() string { return clean(s.Name) }

func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '<' || r == '>' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	// Git strips these from the ends of names, and fsck wants what is left.
	return strings.Trim(s, " .,:;\"\\'")
}

// parseSignature accepts what Git does; an odd time is the zero time.
func parseSignature(line string) Signature {
	open := strings.IndexByte(line, '<')
	end := strings.LastIndexByte(line, '>')
	if open < 0 || end < open {
		return Signature{Name: line}
	}
	s := Signature{Name: strings.TrimSpace(line[:open]), Email: line[open+1 : end]}
	if f := strings.Fields(line[end+1:]); len(f) > 0 {
		if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
			s.When = time.Unix(n, 0).UTC()
		}
	}
	return s
}

// A Commit is one commit. Message ends with a newline.
type Commit struct {
	Tree      Hash
	Parents   []Hash
	Author    Signature
	Committer Signature
	Armor     string // the signature as it is in the commit, "" if there is none
	Message   string
}

// Payload returns the commit without its signature: what is signed.
func (c *Commit) Payload() []byte { return c.encode("") }

// Encode returns the content of the commit.
func (c *Commit) Encode() []byte { return c.encode(c.Armor) }

func (c *Commit) encode(armor string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n", c.Author, c.Committer)
	if armor != "" {
		b.WriteString("gpgsig ")
		b.WriteString(strings.ReplaceAll(strings.TrimSuffix(armor, "\n"), "\n", "\n "))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(c.Message)
	return []byte(b.String())
}

var errCommit = errors.New("malformed commit")

// DecodeCommit reads a commit, also one that another program wrote.
func DecodeCommit(content []byte) (*Commit, error) {
	c := &Commit{}
	head, message, _ := strings.Cut(string(content), "\n\n")
	c.Message = message
	var tree bool
	for key, value := range headers(head) {
		var ok bool
		switch key {
		case "tree":
			if c.Tree, ok = ParseHash(value); !ok {
				return nil, errCommit
			}
			tree = true
		case "parent":
			p, ok := ParseHash(value)
			if !ok {
				return nil, errCommit
			}
			c.Parents = append(c.Parents, p)
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		case "gpgsig":
			c.Armor = value + "\n"
		}
	}
	if !tree {
		return nil, errCommit
	}
	return c, nil
}

// headers yields the header lines with their continuations joined.
func headers(head string) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) {
		lines := strings.Split(head, "\n")
		for i := 0; i < len(lines); i++ {
			key, value, _ := strings.Cut(lines[i], " ")
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ") {
				i++
				value += "\n" + lines[i][1:]
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// SplitSigned returns a commit's content without its signature, and the
// signature: what a verifier needs, for any commit, byte for byte.
func SplitSigned(content []byte) (payload []byte, armor string) {
	s := string(content)
	end := strings.Index(s, "\n\n")
	if end < 0 {
		return content, ""
	}
	var kept, sig strings.Builder
	in := false
	for line := range strings.SplitAfterSeq(s[:end+1], "\n") {
		switch {
		case strings.HasPrefix(line, "gpgsig "):
			in = true
			sig.WriteString(strings.TrimPrefix(line, "gpgsig "))
		case in && strings.HasPrefix(line, " "):
			sig.WriteString(line[1:])
		default:
			in = false
			kept.WriteString(line)
		}
	}
	return []byte(kept.String() + s[end+1:]), sig.String()
}

// A Tag is an annotated tag of a commit.
type Tag struct {
	Target  Hash
	Name    string
	Tagger  Signature
	Message string // ends with a newline
	Armor   string // follows the message
}

// Payload returns the tag without its signature: what is signed.
func (t *Tag) Payload() []byte {
	return fmt.Appendf(nil, "object %s\ntype commit\ntag %s\ntagger %s\n\n%s", t.Target, t.Name, t.Tagger, t.Message)
}

// Encode returns the content of the tag.
func (t *Tag) Encode() []byte { return append(t.Payload(), t.Armor...) }

// DecodeTag reads an annotated tag. ok is false if it tags no commit.
func DecodeTag(content []byte) (t *Tag, ok bool) {
	head, body, _ := strings.Cut(string(content), "\n\n")
	t = &Tag{}
	var kind string
	for key, value := range headers(head) {
		switch key {
		case "object":
			t.Target, ok = ParseHash(value)
		case "type":
			kind = value
		case "tag":
			t.Name = value
		case "tagger":
			t.Tagger = parseSignature(value)
		}
	}
	t.Message, t.Armor = splitTag(body)
	return t, ok && kind == CommitKind.String()
}

// splitTag parts a tag's message from the signature that follows it.
func splitTag(body string) (message, armor string) {
	for _, begin := range []string{"-----BEGIN SSH SIGNATURE-----", "-----BEGIN PGP SIGNATURE-----"} {
		if i := strings.LastIndex(body, begin); i == 0 || i > 0 && body[i-1] == '\n' {
			return body[:i], body[i:]
		}
	}
	return body, ""
}
