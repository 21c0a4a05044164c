package httpx

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// longest is as long as a server may make us wait by Retry-After.
const longest = 2 * time.Minute

// worthRepeating reports whether another attempt may end differently.
func worthRepeating(resp *Response, err error) bool {
	if resp != nil {
		switch resp.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return false
	}
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout() && !errors.Is(err, context.DeadlineExceeded)
}

// pause is how long to wait before the next attempt: what the server asks
// for, otherwise the first pause, doubled with each attempt.
func pause(first time.Duration, attempt int, resp *Response) time.Duration {
	d := first << min(attempt, 6)
	if resp == nil {
		return d
	}
	return min(max(retryAfter(resp.Header, time.Now()), d), longest)
}

func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return time.Duration(min(s, 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.Sub(now)
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
