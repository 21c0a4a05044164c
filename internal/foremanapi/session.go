package foremanapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/stdevel/katprep/internal/httpx"
)

// renewEvery bounds how often an ended session is opened anew. Where sessions
// do not hold even that long (several servers behind one name), the password
// goes along with each request; the first refusal of that is final, since
// thirty would lock the address out.
const renewEvery = time.Minute

// Login opens the session, unless there is one. It is called by every other
// method; its error is final if the server refused the login (katprep.Denied).
func (c *Client) Login(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil || c.loggedIn {
		return c.refused
	}
	return c.open(ctx)
}

// open sends the password once. The caller holds c.mu.
func (c *Client) open(ctx context.Context) error {
	const path = "/api/status"
	resp, err := c.http.Do(ctx, c.request(callStatus, nil, nil, nil, true))
	if err != nil {
		return wrapCall(callStatus, path, c.base.Host, err)
	}
	if err := c.statusError(callStatus, path, resp); err != nil {
		if resp.Status == http.StatusUnauthorized {
			c.refused = err
		}
		return err
	}
	if err := looksJSON(resp); err != nil {
		return c.notJSON(callStatus, path, resp, err)
	}
	if err := json.Unmarshal(resp.Body, &c.status); err != nil {
		return c.notJSON(callStatus, path, resp, err)
	}
	answer := http.Response{Header: resp.Header}
	c.jar.SetCookies(c.base, answer.Cookies())
	c.loggedIn = true
	return nil
}

// renew answers a 401 to a request that was sent at the given time: if a
// session ended (60 idle minutes), it opens another with the password. Many
// requests find that at once; the first one logs in, the others go on with
// its session. Without a session it was the password that was refused.
func (c *Client) renew(ctx context.Context, sent time.Time, refusal error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.refused != nil:
		return c.refused
	case sent.Before(c.opened):
		return nil
	case len(c.jar.Cookies(c.base)) == 0 || c.always.Load():
		c.refused = refusal
		return refusal
	case time.Since(c.opened) < renewEvery:
		c.always.Store(true)
		return nil
	}
	c.opened = time.Now()
	return c.open(ctx)
}

// again sends a request for a second time after a 401, if renew allows it.
func (c *Client) again(ctx context.Context, sent time.Time, first *httpx.Response, e *Call, path string, build func() httpx.Request) (*httpx.Response, error) {
	if err := c.renew(ctx, sent, c.statusError(e, path, first)); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(ctx, build())
	if err != nil {
		return nil, wrapCall(e, path, c.base.Host, err)
	}
	if resp.Status == http.StatusUnauthorized {
		err := c.statusError(e, path, resp)
		c.mu.Lock()
		c.refused = err
		c.mu.Unlock()
		return nil, err
	}
	return resp, nil
}
