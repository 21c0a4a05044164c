package foremanapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/httpx"
)

// An APIError is an answer with an error status. Message is the server's own
// text: untrusted, one line.
type APIError struct {
	Method    string
	Path      string
	Server    string
	Status    int
	Message   string
	Missing   []string // permissions that the server says are missing
	RequestID string
}

// Error names request, server, status, the server's words, and the ID under
// which the server logged it.
func (e *APIError) Error() string {
	s := fmt.Sprintf("%s %s on %s: %d %s", e.Method, e.Path, e.Server, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// StatusOf returns the HTTP status of an API error in err's chain, or 0.
func StatusOf(err error) int {
	if a, ok := errors.AsType[*APIError](err); ok {
		return a.Status
	}
	return 0
}

const loginHint = "check user and password (a personal access token goes in place of the password); nothing more was sent, so that the account is not locked"

// statusError returns nil for a good answer.
func (c *Client) statusError(e *Call, path string, resp *httpx.Response) error {
	if resp.Status < 400 {
		return nil
	}
	msg, missing := decodeError(resp.Body)
	a := &APIError{Method: e.Method, Path: path, Server: c.base.Host, Status: resp.Status,
		Message: msg, Missing: missing, RequestID: oneLine(resp.Header.Get("X-Request-Id"), 64)}
	return classify(e, a, resp)
}

func classify(e *Call, a *APIError, resp *httpx.Response) error {
	switch a.Status {
	case http.StatusUnauthorized:
		if strings.Contains(a.Message, "Too many tries") {
			return katprep.Errorf(katprep.Denied, "%w", a).WithHint("the server locked this address out after too many failures; wait five minutes")
		}
		return katprep.Errorf(katprep.Denied, "%w", a).WithHint("%s", loginHint)
	case http.StatusForbidden:
		k := katprep.Errorf(katprep.Denied, "%w", a)
		if len(a.Missing) > 0 {
			return k.WithHint("give the user's role: %s", strings.Join(a.Missing, ", "))
		}
		return k
	case http.StatusNotFound:
		k := katprep.Errorf(katprep.NotFound, "%w", a)
		if e.Plugin != "" && unroutable(resp, a) {
			return k.WithHint("the plugin %s seems not to be installed there", e.Plugin)
		}
		return k
	case http.StatusConflict:
		return katprep.Errorf(katprep.Conflict, "%w", a)
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return katprep.Errorf(katprep.Invalid, "%w", a)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return katprep.Errorf(katprep.Unreachable, "%w", a).WithHint("the server is overloaded or under maintenance; try again later")
	}
	return katprep.Errorf(katprep.Unreachable, "%w", a)
}

// unroutable reports whether a 404 is about the path and not about a record.
func unroutable(resp *httpx.Response, a *APIError) bool {
	return looksJSON(resp) != nil || a.Message == "" || strings.Contains(a.Message, "No route") || strings.Contains(a.Message, "route_error")
}

// errorBody is the union of all shapes in which Foreman and Katello word an
// error.
type errorBody struct {
	Error          json.RawMessage `json:"error"`
	Message        text            `json:"message"`
	DisplayMessage text            `json:"displayMessage"`
	Errors         json.RawMessage `json:"errors"`
}

type errorDetail struct {
	Message text  `json:"message"`
	Details text  `json:"details"`
	Full    names `json:"full_messages"`
	Missing names `json:"missing_permissions"`
}

// decodeError finds the server's message in the body of an error.
func decodeError(body []byte) (msg string, missing []string) {
	var b errorBody
	if json.Unmarshal(body, &b) != nil {
		return oneLine(stripTags(body), 200), nil
	}
	var d errorDetail
	if len(b.Error) > 0 {
		_ = json.Unmarshal(b.Error, &d) // a string, or a shape below
	}
	for i, p := range d.Missing {
		d.Missing[i] = oneLine(p, 60)
	}
	parts := []string{joined(d.Message, d.Details), strings.Join(d.Full, "; "), asText(b.Error),
		string(b.DisplayMessage), string(b.Message), firstText(b.Errors)}
	for _, p := range parts {
		if strings.TrimSpace(p) != "" {
			return oneLine(p, 500), d.Missing
		}
	}
	return oneLine(string(body), 200), nil
}

func joined(a, b text) string {
	if a != "" && b != "" && !strings.Contains(string(a), string(b)) {
		return string(a) + ": " + string(b)
	}
	return string(a + b)
}

// asText returns a JSON string's content, or "" for anything else.
func asText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// firstText returns the first text of a list, or of an object of lists.
func firstText(raw json.RawMessage) string {
	var list []text
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return string(list[0])
	}
	return asText(raw)
}

var (
	hidden = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)\s*>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

func stripTags(b []byte) string {
	b = b[:min(len(b), 8<<10)]
	return html.UnescapeString(string(tags.ReplaceAll(hidden.ReplaceAll(b, nil), []byte(" "))))
}

// oneLine makes untrusted text fit into a line of a message: no control
// characters, single spaces, at most limit bytes.
func oneLine(s string, limit int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " …"
}

// looksJSON is for the proxy that answers 200 with a page of HTML.
func looksJSON(resp *httpx.Response) error {
	b := bytes.TrimLeft(resp.Body, " \t\r\n")
	if len(b) == 0 {
		return errors.New("the answer is empty")
	}
	if b[0] == '<' {
		return errors.New("the answer is HTML, not JSON: " + oneLine(stripTags(b), 120))
	}
	return nil
}

func (c *Client) notJSON(e *Call, path string, resp *httpx.Response, cause error) error {
	k := katprep.Errorf(katprep.Corrupt, "%s %s on %s: %w", e.Method, path, c.base.Host, cause)
	if strings.Contains(resp.Header.Get("Content-Type"), "html") || strings.Contains(cause.Error(), "HTML") {
		return k.WithHint("a proxy or another web server answered instead of Foreman: check the URL and https_proxy")
	}
	return k
}

// wrapCall says which request an error of the transport is about.
func wrapCall(e *Call, path, server string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s %s on %s: %w", e.Method, path, server, err)
	}
	return &katprep.Error{Kind: kindOr(err, katprep.Unreachable), Op: fmt.Sprintf("%s %s on %s", e.Method, path, server), Err: err}
}

func kindOr(err error, k katprep.Kind) katprep.Kind {
	if got := katprep.KindOf(err); got != katprep.Internal {
		return got
	}
	return k
}
