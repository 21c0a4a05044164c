package winrm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/httpx"
)

// The names of the protocol: MS-WSMV and WS-Transfer.
const (
	shellNS = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"

	actionCreate  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	actionDelete  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"
	actionCommand = shellNS + "/Command"
	actionSend    = shellNS + "/Send"
	actionReceive = shellNS + "/Receive"
	actionSignal  = shellNS + "/Signal"

	stateDone     = shellNS + "/CommandState/Done"
	codeTerminate = shellNS + "/signal/terminate"
	codeDenied    = "5"
	codeTimeout   = "2150858793" // nothing happened within the operation's time
)

// A message is one request.
type message struct {
	action  string
	shell   string
	options []option
	body    string // XML
}

type option struct{ name, value string }

// header is the part that all messages share; the operation's time is shorter
// than that of a request.
const header = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` +
	` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="` + shellNS + `"><s:Header>` +
	`<a:To>%s</a:To><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>` +
	`<a:Action s:mustUnderstand="true">%s</a:Action><a:MessageID>uuid:%s</a:MessageID>` +
	`<w:ResourceURI s:mustUnderstand="true">` + shellNS + `/cmd</w:ResourceURI><w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize>` +
	`<w:OperationTimeout>PT20S</w:OperationTimeout><w:Locale s:mustUnderstand="false" xml:lang="en-US"/>`

// encode writes a message as XML.
func (m message) encode(to string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, header, escape(to), m.action, uuid())
	if m.shell != "" {
		fmt.Fprintf(&b, `<w:SelectorSet><w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet>`, escape(m.shell))
	}
	if len(m.options) > 0 {
		b.WriteString(`<w:OptionSet s:mustUnderstand="true">`)
		for _, o := range m.options {
			fmt.Fprintf(&b, `<w:Option Name="%s">%s</w:Option>`, o.name, o.value)
		}
		b.WriteString(`</w:OptionSet>`)
	}
	b.WriteString(`</s:Header><s:Body>` + m.body + `</s:Body></s:Envelope>`)
	return b.Bytes()
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}

func uuid() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // it never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// A reply is what the bodies of all answers may hold.
type reply struct {
	ShellID   string     `xml:"Body>Shell>ShellId"`
	Selectors []selector `xml:"Body>ResourceCreated>ReferenceParameters>SelectorSet>Selector"`
	CommandID string     `xml:"Body>CommandResponse>CommandId"`
	Streams   []stream   `xml:"Body>ReceiveResponse>Stream"`
	State     struct {
		State string `xml:"State,attr"`
		Exit  int    `xml:"ExitCode"`
	} `xml:"Body>ReceiveResponse>CommandState"`
	Reason string `xml:"Body>Fault>Reason>Text"`
	Fault  struct {
		Code    string `xml:"Code,attr"`
		Message string `xml:"Message"`
	} `xml:"Body>Fault>Detail>WSManFault"`
}

type selector struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:",chardata"`
}

type stream struct {
	Name string `xml:"Name,attr"`
	Text string `xml:",chardata"`
}

// A fault is what a host says of a request that it refuses.
type fault struct{ code, text string }

// Error returns the host's words.
func (f *fault) Error() string { return fmt.Sprintf("%s (code %s)", f.text, f.code) }

func asFault(err error) (*fault, bool) { return errors.AsType[*fault](err) }

// call sends a message and reads the answer. It is never repeated: a command
// must not be started twice.
func (s *shell) call(ctx context.Context, m message) (*reply, error) {
	login := base64.StdEncoding.EncodeToString([]byte(s.c.o.Login.User + ":" + s.c.o.Login.Password.Reveal()))
	resp, err := s.h.Do(ctx, httpx.Request{Method: http.MethodPost, URL: s.c.url, Body: m.encode(s.c.url), Header: http.Header{
		"Content-Type": {"application/soap+xml;charset=UTF-8"}, "Authorization": {"Basic " + login}}})
	if err != nil {
		if ctx.Err() != nil {
			return nil, katprep.Errorf(katprep.Unreachable, "WinRM: %w", ctx.Err())
		}
		return nil, err
	}
	return parse(resp)
}

// parse reads an answer.
func parse(resp *httpx.Response) (*reply, error) {
	if resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden {
		return nil, katprep.Errorf(katprep.Denied, "WinRM: the user or the password is not accepted").
			WithHint("the user is written DOMAIN\\user or user@domain; it must be in Remote Management Users")
	}
	var r reply
	if err := xml.Unmarshal(resp.Body, &r); err != nil {
		return nil, katprep.Errorf(katprep.Unreachable, "WinRM: the answer, of status %d, is none of WS-Management: %w", resp.Status, err)
	}
	if resp.Status/100 == 2 && r.Reason == "" {
		return &r, nil
	}
	text := strings.Join(strings.Fields(r.Fault.Message), " ")
	if text == "" {
		text = strings.Join(strings.Fields(r.Reason), " ")
	}
	kind := katprep.Unreachable
	if r.Fault.Code == codeDenied {
		kind = katprep.Denied
	}
	return nil, katprep.Errorf(kind, "WinRM, status %d: %w", resp.Status, &fault{r.Fault.Code, text})
}
