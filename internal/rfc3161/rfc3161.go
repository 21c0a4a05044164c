// Package rfc3161 asks a time-stamp service to witness a digest, and checks
// what it said. A stamp is the service's answer as it came (DER), which
// "openssl ts -verify" reads too.
package rfc3161

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
)

// A Service is a time-stamp authority that answers over HTTP.
type Service struct {
	URL      string
	CAFile   string        // PEM: who must have issued its certificate; "" accepts any
	Timeout  time.Duration // for one stamp; 0: 30 s
	User     string        // of HTTP Basic authentication, "" for none
	Password creds.Secret
}

// maxAnswer bounds what a service may send: real stamps have 2 to 10 KB.
const maxAnswer = 1 << 16

// Stamp asks for a stamp of a SHA-256 digest and returns it in DER. What is
// returned has been checked as Check does, and answers this very request.
func (s *Service) Stamp(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
	op := "ask " + s.URL + " for a time stamp"
	var roots *x509.CertPool
	if s.CAFile != "" {
		var err error
		if roots, err = Roots(s.CAFile); err != nil {
			return nil, err
		}
	}
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	ask, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	der, err := s.send(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	_, answered, err := check(der, digest, roots)
	if err == nil && (answered == nil || answered.Cmp(nonce) != 0) {
		err = katprep.Errorf(katprep.Denied, "the answer is to another request")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return der, nil
}

func (s *Service) send(ctx context.Context, ask []byte) ([]byte, error) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := httpx.New(httpx.Options{CAFile: s.CAFile, Timeout: timeout, MaxBody: maxAnswer, Retries: 2})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	h := http.Header{"Content-Type": {"application/timestamp-query"}, "Accept": {"application/timestamp-reply"}}
	if s.User != "" {
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.User+":"+s.Password.Reveal())))
	}
	r, err := c.Do(ctx, httpx.Request{Method: http.MethodPost, URL: s.URL, Header: h, Body: ask, Repeat: true})
	if err != nil {
		return nil, err
	}
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		return nil, katprep.Errorf(katprep.Denied, "HTTP status %d", r.Status).WithHint("check archive.stamp.credential in the configuration")
	case r.Status != http.StatusOK:
		return nil, katprep.Errorf(katprep.Unreachable, "HTTP status %d", r.Status)
	}
	return r.Body, nil
}

// Roots reads the certificates of a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "certificates of the time-stamp service: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, katprep.Errorf(katprep.Invalid, "certificates of the time-stamp service: %s holds none in PEM", file)
	}
	return pool, nil
}

// A Stamp is what a service witnessed.
type Stamp struct {
	Time    time.Time `json:"time"`    // when the digest existed, UTC
	Service string    `json:"service"` // subject of the service's certificate, untrusted text
	Serial  string    `json:"serial"`  // the service's own number of the stamp
	Trusted bool      `json:"trusted"` // its certificate leads to a root that was given
}

// What Check finds wrong with a stamp.
var (
	ErrOther     = errors.New("the time stamp is one of other data")
	ErrUntrusted = errors.New("the time stamp is not by the service that is trusted")
	ErrBad       = errors.New("no good time stamp")
)

// Check verifies a stamp of a SHA-256 digest: that it is of this digest, that
// its signature is good, and, unless roots is nil, that the certificate was
// issued for time stamps by one of them and valid at the stamp's time.
func Check(der []byte, digest [sha256.Size]byte, roots *x509.CertPool) (Stamp, error) {
	s, _, err := check(der, digest, roots)
	return s, err
}

// check also returns the number of the request that the stamp answers.
func check(der []byte, digest [sha256.Size]byte, roots *x509.CertPool) (s Stamp, nonce *big.Int, err error) {
	// The parser of the untrusted bytes is not ours, and has panicked before.
	defer func() {
		if p := recover(); p != nil {
			s, nonce, err = Stamp{}, nil, fmt.Errorf("%w: %v", ErrBad, p)
		}
	}()
	if len(der) > maxAnswer {
		return s, nil, fmt.Errorf("%w: it has %d bytes", ErrBad, len(der))
	}
	t, err := timestamp.ParseResponse(der)
	if err != nil {
		return s, nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	p7, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return s, nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	cert := p7.GetOnlySigner()
	if cert == nil {
		return s, nil, fmt.Errorf("%w: it does not hold the certificate of its one signer", ErrBad)
	}
	s = Stamp{Time: t.Time.UTC(), Service: cert.Subject.String(), Serial: t.SerialNumber.String()}
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, digest[:]) {
		return s, nil, ErrOther
	}
	if err := binds(p7, cert); err != nil {
		return s, nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if roots == nil {
		return s, t.Nonce, nil
	}
	if err := chain(p7, cert, roots, t.Time); err != nil {
		return s, nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	s.Trusted = true
	return s, t.Nonce, nil
}

// chain verifies that the certificate is a time-stamp service's, and good at
// the time that it stamped.
func chain(p7 *pkcs7.PKCS7, cert *x509.Certificate, roots *x509.CertPool, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range p7.Certificates {
		between.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	return err
}

// The signed attribute that names the service's certificate, in its two
// versions (RFC 2634 and RFC 5035): without it another certificate of the same
// key could be put into its place.
var (
	signingCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	signingCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
)

type certID struct {
	Hash   []byte
	Issuer asn1.RawValue `asn1:"optional"`
}

type certIDv2 struct {
	Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
	Hash      []byte
	Issuer    asn1.RawValue `asn1:"optional"`
}

func binds(p7 *pkcs7.PKCS7, cert *x509.Certificate) error {
	var v2 struct {
		Certs    []certIDv2
		Policies asn1.RawValue `asn1:"optional"`
	}
	if err := p7.UnmarshalSignedAttribute(signingCertificateV2, &v2); err == nil && len(v2.Certs) > 0 {
		id := v2.Certs[0]
		sum, err := sumOf(cert.Raw, id.Algorithm.Algorithm)
		if err == nil && !bytes.Equal(sum, id.Hash) {
			err = errors.New("it was signed with another certificate")
		}
		return err
	}
	var v1 struct {
		Certs    []certID
		Policies asn1.RawValue `asn1:"optional"`
	}
	if err := p7.UnmarshalSignedAttribute(signingCertificate, &v1); err != nil || len(v1.Certs) == 0 {
		return errors.New("it does not name the certificate that signed it")
	}
	if sum := sha1.Sum(cert.Raw); !bytes.Equal(sum[:], v1.Certs[0].Hash) {
		return errors.New("it was signed with another certificate")
	}
	return nil
}

// sumOf hashes with an algorithm; none means SHA-256, as RFC 5035 says.
func sumOf(data []byte, oid asn1.ObjectIdentifier) ([]byte, error) {
	h := crypto.SHA256
	switch {
	case len(oid) == 0 || oid.Equal(pkcs7.OIDDigestAlgorithmSHA256):
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA384):
		h = crypto.SHA384
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA512):
		h = crypto.SHA512
	default:
		return nil, fmt.Errorf("its certificate is named by an unknown hash, %s", oid)
	}
	d := h.New()
	d.Write(data)
	return d.Sum(nil), nil
}
