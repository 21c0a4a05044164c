package livestatus

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// A query asks for columns of the rows in which column Where is one of
// Values (nil: all rows).
type query struct {
	table   string
	columns []string
	where   string
	values  []string
}

// safe reports whether text may stand in a line.
func safe(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// encode writes the query in the protocol's lines.
func (q query) encode() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s\nColumns: %s\n", q.table, strings.Join(q.columns, " "))
	for _, v := range q.values {
		if !safe(v) {
			return "", katprep.Errorf(katprep.Invalid, "%q cannot be a name: it has control characters", v)
		}
		fmt.Fprintf(&b, "Filter: %s = %s\n", q.where, v)
	}
	if len(q.values) > 1 {
		fmt.Fprintf(&b, "Or: %d\n", len(q.values))
	}
	b.WriteString("OutputFormat: json\nResponseHeader: fixed16\n\n")
	return b.String(), nil
}

// largest is as long as an answer may be.
const largest = 256 << 20

// query asks and reads the rows.
func (c *Client) query(ctx context.Context, q query) ([][]any, error) {
	lines, err := q.encode()
	if err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, lines)
	if err != nil {
		return nil, err
	}
	code, body, err := split(answer)
	if err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "livestatus at %s: %w", c.addr, err)
	}
	if code != 200 {
		first, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
		return nil, katprep.Errorf(katprep.Internal, "livestatus at %s refuses to list %s: %d: %s", c.addr, q.table, code, first[:min(len(first), 300)])
	}
	var rows [][]any
	if err := json.Unmarshal([]byte(body), &rows); err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "livestatus at %s: %s: %w", c.addr, q.table, err)
	}
	for _, r := range rows {
		if len(r) != len(q.columns) {
			return nil, katprep.Errorf(katprep.Corrupt, "livestatus at %s: %s has rows of %d columns, not %d", c.addr, q.table, len(r), len(q.columns))
		}
	}
	return rows, nil
}

// split reads the header of 16 bytes: status, length, newline.
func split(answer string) (code int, body string, err error) {
	if len(answer) < 16 || answer[3] != ' ' || answer[15] != '\n' {
		return 0, "", fmt.Errorf("the answer has no header")
	}
	code, err = strconv.Atoi(answer[:3])
	if err != nil {
		return 0, "", fmt.Errorf("the answer's status is %q", answer[:3])
	}
	n, err := strconv.Atoi(strings.TrimSpace(answer[4:15]))
	if err != nil || n < 0 || n != len(answer)-16 {
		return 0, "", fmt.Errorf("the answer has %d bytes, its header says %q", len(answer)-16, answer[4:15])
	}
	return code, answer[16:], nil
}

// ask is exchange for what changes nothing: while the core restarts, nobody
// listens, or hangs up, and it is asked again a few times.
func (c *Client) ask(ctx context.Context, lines string) (string, error) {
	for pause := 500 * time.Millisecond; ; pause *= 2 {
		answer, err := c.exchange(ctx, lines)
		if err == nil && answer == "" {
			err = katprep.Errorf(katprep.Unreachable, "livestatus at %s hung up without an answer", c.addr)
		}
		var untrusted *tls.CertificateVerificationError
		if err == nil || katprep.KindOf(err) != katprep.Unreachable || pause > 2*time.Second ||
			errors.As(err, &untrusted) || errors.Is(err, os.ErrDeadlineExceeded) {
			return answer, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", err
		}
	}
}

// exchange sends lines on a connection of their own, which every server
// understands, and reads until it closes.
func (c *Client) exchange(ctx context.Context, lines string) (string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, lines); err != nil {
		return "", c.unreachable(ctx, err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && c.tls == nil {
		_ = half.CloseWrite()
	}
	answer, err := io.ReadAll(io.LimitReader(conn, largest+1))
	if err != nil {
		return "", c.unreachable(ctx, err)
	}
	if len(answer) > largest {
		return "", katprep.Errorf(katprep.Corrupt, "livestatus at %s: answer is longer than %d MiB", c.addr, largest>>20)
	}
	return string(answer), nil
}

// command sends an external command. Only the last field may hold a
// semicolon; control characters are refused. An empty answer means that
// nothing is known to be wrong.
func (c *Client) command(ctx context.Context, name string, fields ...string) error {
	line, err := encodeCommand(time.Now(), name, fields)
	if err != nil {
		return err
	}
	answer, err := c.exchange(ctx, line)
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "" {
		return katprep.Errorf(katprep.Internal, "livestatus at %s refuses %s: %s", c.addr, name, answer[:min(len(answer), 300)])
	}
	return nil
}

func encodeCommand(now time.Time, name string, fields []string) (string, error) {
	for i, f := range fields {
		if !safe(f) || i < len(fields)-1 && strings.Contains(f, ";") {
			return "", katprep.Errorf(katprep.Invalid, "%q cannot be a field of a command", f)
		}
	}
	return fmt.Sprintf("COMMAND [%d] %s;%s\n\n", now.Unix(), name, strings.Join(fields, ";")), nil
}

// text, number and list read what JSON makes of a column; cores differ in
// null, "" and true.
func text(v any) string {
	s, _ := v.(string)
	return s
}

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

func list(v any) []string {
	var ss []string
	items, _ := v.([]any)
	for _, i := range items {
		if s := text(i); s != "" {
			ss = append(ss, s)
		}
	}
	return ss
}
