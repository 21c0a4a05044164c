package icinga2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/httpx"
)

// An answer is what the API says, of any status.
type answer struct {
	Results     json.RawMessage `json:"results"`
	Status      string          `json:"status"`
	Diagnostics string          `json:"diagnostic_information"`
	code        int
}

// nothing reports whether nothing matched: 404, or (before 2.14) 500 with an
// empty list. A missing permission looks the same but for the diagnostics.
func (a *answer) nothing() bool {
	return a.code == http.StatusNotFound || a.code == http.StatusInternalServerError && strings.TrimSpace(string(a.Results)) == "[]"
}

// get reads one of the API's own documents.
func (c *Client) get(ctx context.Context, path string, results any) error {
	a, err := c.call(ctx, httpx.Request{Method: http.MethodGet, URL: c.base + path + "?verbose=1", Repeat: true})
	if err != nil {
		return err
	}
	return c.read(a, results)
}

// query reads objects of a type. No match is an empty result.
func (c *Client) query(ctx context.Context, kind string, body map[string]any, results any) error {
	r, err := c.post("/objects/"+kind, body)
	if err != nil {
		return err
	}
	r.Header.Set("X-HTTP-Method-Override", http.MethodGet)
	r.Repeat = true
	a, err := c.call(ctx, r)
	if err != nil {
		return err
	}
	if a.nothing() && c.refusal(a) == nil {
		return nil
	}
	return c.read(a, results)
}

// action runs an action. It is never sent twice.
func (c *Client) action(ctx context.Context, name string, body map[string]any) (*answer, error) {
	r, err := c.post("/actions/"+name, body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, r)
}

func (c *Client) post(path string, body map[string]any) (httpx.Request, error) {
	body["verbose"] = true
	b, err := json.Marshal(body)
	if err != nil {
		return httpx.Request{}, katprep.Errorf(katprep.Internal, "encode request: %w", err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	return httpx.Request{Method: http.MethodPost, URL: c.base + path, Header: h, Body: b}, nil
}

// call sends a request and refuses what is no answer of the API.
func (c *Client) call(ctx context.Context, r httpx.Request) (*answer, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", "application/json") // without it errors are HTML
	if c.login.User != "" {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.login.User+":"+c.login.Password.Reveal())))
	}
	resp, err := c.http.Do(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("ask Icinga 2 at %s: %w", c.base, err)
	}
	switch resp.Status {
	case http.StatusUnauthorized:
		return nil, katprep.Errorf(katprep.Denied, "Icinga 2 at %s refuses user %q or the password", c.base, c.login.User).
			WithHint("check the ApiUser's password with: katprep auth list")
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return nil, katprep.Errorf(katprep.Unreachable, "Icinga 2 at %s is busy or restarting (%d)", c.base, resp.Status)
	}
	a := &answer{code: resp.Status}
	if err := json.Unmarshal(resp.Body, a); err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "Icinga 2 at %s answers %d and no JSON", c.base, resp.Status)
	}
	return a, nil
}

// read decodes the results of a successful answer.
func (c *Client) read(a *answer, results any) error {
	if err := c.refusal(a); err != nil {
		return err
	}
	if a.code != http.StatusOK {
		return katprep.Errorf(katprep.Internal, "Icinga 2 at %s answers %d: %s", c.base, a.code, a.words())
	}
	if err := json.Unmarshal(a.Results, results); err != nil {
		return katprep.Errorf(katprep.Corrupt, "Icinga 2 at %s: results: %w", c.base, err)
	}
	return nil
}

// refusal returns an error if the answer says that a permission is missing,
// which before 2.14 hides behind "No objects found".
func (c *Client) refusal(a *answer) error {
	const missing = "Missing permission: "
	_, name, found := strings.Cut(a.Diagnostics, missing)
	if !found {
		_, name, found = strings.Cut(a.Status, missing)
	}
	if !found && a.code != http.StatusForbidden {
		return nil
	}
	name, _, _ = strings.Cut(name, "\n")
	if name = strings.TrimSpace(name); name == "" {
		name = a.words()
	}
	return katprep.Errorf(katprep.Denied, "Icinga 2 user %q lacks the permission %s", c.login.User, name).
		WithHint("add it to the permissions of the ApiUser %q", c.login.User)
}

// words is the server's explanation in one line.
func (a *answer) words() string {
	s := a.Status
	if first, _, _ := strings.Cut(a.Diagnostics, "\n"); first != "" {
		s += " (" + first + ")"
	}
	if s == "" {
		s = string(a.Results)
	}
	return s[:min(len(s), 500)]
}
