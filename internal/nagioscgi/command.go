package nagioscgi

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
)

// The commands that katprep sends, in the numbers of cmd.cgi.
const (
	ScheduleHost        = "55"
	ScheduleHostService = "86" // the services of a host; in Icinga 1 the host too
	DeleteHost          = "78"
	DeleteService       = "79"
)

// A Form is what a command's page gave us: proof that we did not come from
// another site, and the server's idea of the present time.
type Form struct {
	id      string
	cookies string
	Now     string // in the server's format and zone; "" if there was none
}

var (
	formID    = regexp.MustCompile(`(?i)name=['"]nagFormId['"]\s+value=['"]([0-9A-Za-z]+)['"]`)
	startTime = regexp.MustCompile(`(?i)name=['"]start_time['"]\s+value=['"]([^'"]+)['"]`)
	tags      = regexp.MustCompile(`(?s)<script.*?</script>|<style.*?</style>|<title.*?</title>|<[^>]*>`)
	messages  = regexp.MustCompile(`(?is)<(?:div|td) class=['"]error(?:Message|Description)['"]>.*?</(?:div|td)>|<p>\s*Error:.*?</p>|<div class=['"]commitFailed['"]>.*?</div>`)
)

// Form fetches the page of the command for a host, which says whether we may
// send it. A page without token is one of an old server.
func (c *Client) Form(ctx context.Context, command, host string) (*Form, error) {
	resp, err := c.Get(ctx, "cmd.cgi", url.Values{"cmd_typ": {command}, "host": {host}})
	if err != nil {
		return nil, err
	}
	page := string(resp.Body)
	if err := c.Complaint(page); err != nil {
		return nil, err
	}
	f := &Form{}
	if m := formID.FindStringSubmatch(page); m != nil {
		f.id = m[1]
	}
	if m := startTime.FindStringSubmatch(page); m != nil {
		f.Now = html.UnescapeString(m[1])
	}
	var pairs []string
	for _, ck := range (&http.Response{Header: resp.Header}).Cookies() {
		pairs = append(pairs, ck.Name+"="+ck.Value)
	}
	f.cookies = strings.Join(pairs, "; ")
	return f, nil
}

// Command sends a command with its fields. Only the server's own words of
// success are success, which still means no more than that the command was
// handed over.
func (c *Client) Command(ctx context.Context, f *Form, command string, fields url.Values) error {
	form := url.Values{"cmd_typ": {command}, "cmd_mod": {"2"}, "btnSubmit": {"Commit"}}
	for k, v := range fields {
		form[k] = v
	}
	h := http.Header{"Referer": {c.base + "/cmd.cgi"}} // Icinga 1 asks for it
	if f.id != "" {
		form.Set("nagFormId", f.id)
	}
	if f.cookies != "" {
		h.Set("Cookie", f.cookies)
	}
	resp, err := c.post(ctx, "cmd.cgi", form, h)
	if err != nil {
		return err
	}
	page := string(resp.Body)
	if err := c.Complaint(page); err != nil {
		return err
	}
	if !strings.Contains(page, "successfully submitted to ") {
		return katprep.Errorf(katprep.Internal, "%s/cmd.cgi neither accepts nor refuses the command: %s", c.base, plain(page, 200))
	}
	return nil
}

// Complaint returns the error that a page shows, if any.
func (c *Client) Complaint(page string) error {
	found := messages.FindAllString(page, 6)
	if len(found) == 0 {
		return nil
	}
	text := plain(strings.Join(found, " "), 400)
	low := strings.ToLower(text)
	switch {
	case strings.Contains(low, "could not read"):
		return katprep.Errorf(katprep.Unreachable, "the CGIs at %s say: %s; does the core run?", c.base, text)
	case strings.Contains(low, "sorry dave"):
		return katprep.Errorf(katprep.Denied, "the CGIs at %s take no commands: authentication is off", c.base).
			WithHint("set use_authentication=1 in cgi.cfg")
	case strings.Contains(low, "authorized") || strings.Contains(low, "permission"):
		return katprep.Errorf(katprep.Denied, "user %q may not send this command, or there is no such object: %s", c.login.User, text).
			WithHint("see authorized_for_all_host_commands and authorized_for_all_service_commands in cgi.cfg")
	}
	return katprep.Errorf(katprep.Internal, "%s/cmd.cgi: %s", c.base, text)
}

// plain is a page's text in one line.
func plain(page string, limit int) string {
	s := strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, " "))), " ")
	return s[:min(len(s), limit)]
}
