package katprep

import "log/slog"

// A Secret is text that never shows itself: every way of printing, logging or
// encoding it gives "redacted". Reveal is the one way out.
type Secret struct{ s string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns the secret itself, for the one place that sends it.
func (s Secret) Reveal() string { return s.s }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.s == "" }

// String returns "redacted".
func (Secret) String() string { return "redacted" }

// GoString returns "redacted".
func (Secret) GoString() string { return "redacted" }

// MarshalText returns "redacted".
func (Secret) MarshalText() ([]byte, error) { return []byte("redacted"), nil }

// LogValue returns "redacted".
func (Secret) LogValue() slog.Value { return slog.StringValue("redacted") }

// A Login is who we are to one system.
type Login struct {
	User     string
	Password Secret
}
