package katprep

import (
	"errors"
	"fmt"
)

// Kind classes errors by what a caller or a person can do about them.
type Kind int

// The kinds of error.
const (
	Internal    Kind = iota // a fault of the program
	Invalid                 // input, configuration or usage
	NotFound                // named thing does not exist
	Denied                  // credentials or permissions
	Unreachable             // network, timeout, TLS
	Conflict                // somebody else changed or holds it
	Locked                  // archive or run is in use
	NoArchive               // there is no archive
	Unlock                  // credentials cannot be unlocked
	Corrupt                 // data is damaged or not what it claims
	Partial                 // finished, but not for every host
)

// An Error says what failed and what helps. Its text names the thing and the
// place; Hint is a command or an action, without a full stop.
type Error struct {
	Kind Kind
	Op   string // what was being done to what: "open archive /srv/a.git"
	Err  error  // the cause
	Hint string
}

// Error returns "op: cause".
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Op
	case e.Op == "":
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a kind; format may wrap a cause with %w.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// WithHint adds what helps.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the outermost Error in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
