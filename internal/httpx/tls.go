package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/stdevel/katprep"
)

func tlsConfig(o Options) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName, InsecureSkipVerify: o.Insecure} // #nosec G402 -- only when asked, and said loudly
	if o.CAFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read CA file: %w", err).WithHint("set ca_file to a readable PEM file")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, katprep.Errorf(katprep.Invalid, "CA file %s holds no PEM certificate", o.CAFile).WithHint("a certificate in PEM begins with -----BEGIN CERTIFICATE-----")
	}
	conf.RootCAs = pool
	return conf, nil
}

// explain makes a transport error readable: without the URL (the caller names
// it better), of kind Unreachable, with a hint where there is one.
func explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if _, ok := errors.AsType[*katprep.Error](err); ok {
		return err
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return katprep.Errorf(katprep.Unreachable, "no answer in time: %w", err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return katprep.Errorf(katprep.Unreachable, "the connection ended in the middle of the answer: %w", err)
	}
	e := katprep.Errorf(katprep.Unreachable, "%w", err)
	if hint := hintFor(err); hint != "" {
		e.Hint = hint
	}
	return e
}

func hintFor(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate's authority is not trusted: set ca_file to it"
	}
	if h, ok := errors.AsType[x509.HostnameError](err); ok {
		names := "another name"
		if h.Certificate != nil && len(h.Certificate.DNSNames) > 0 {
			names = strings.Join(h.Certificate.DNSNames, ", ")
		}
		return "the certificate is for " + names + ": use that name in the URL"
	}
	if inv, ok := errors.AsType[x509.CertificateInvalidError](err); ok && inv.Reason == x509.Expired {
		return "the server's certificate is expired or not yet valid: renew it, or check both clocks"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "check the host name in the URL and the resolver"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS on that port: check scheme and port of the URL"
	}
	return ""
}
