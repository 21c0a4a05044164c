// Package winrmtest is a Windows host as its WinRM service shows it, made
// from the published protocols (MS-WSMV, MS-NLMP): none can run here. It
// checks logins as Windows does, and that input and options are as a command
// needs them.
package winrmtest

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Host is the service.
type Host struct {
	User, Password string
	// Basic says that only Basic logins are offered, else only NTLM.
	Basic bool
	// Run is what a command does with its input.
	Run func(command string, stdin []byte) (stdout, stderr string, exit int)

	mu       sync.Mutex
	next     int
	logins   map[string]*login // by connection
	shells   map[string]bool
	commands map[string]*command
	requests int
}

type command struct {
	line           string
	ended          bool // its input
	waited         int  // receives without an answer
	stdout, stderr string
	exit           int
}

// Start serves the host over HTTPS until the test ends.
func Start(t testing.TB, h *Host) *httptest.Server {
	h.logins, h.shells, h.commands = map[string]*login{}, map[string]bool{}, map[string]*command{}
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// Shells counts the shells that are open.
func (h *Host) Shells() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.shells)
}

// envelope is what a request may hold.
type envelope struct {
	Action    string   `xml:"Header>Action"`
	MessageID string   `xml:"Header>MessageID"`
	Resource  string   `xml:"Header>ResourceURI"`
	Shell     string   `xml:"Header>SelectorSet>Selector"`
	Options   []option `xml:"Header>OptionSet>Option"`
	Command   string   `xml:"Body>CommandLine>Command"`
	Input     struct {
		Name      string `xml:"Name,attr"`
		CommandID string `xml:"CommandId,attr"`
		End       string `xml:"End,attr"`
		Data      string `xml:",chardata"`
	} `xml:"Body>Send>Stream"`
	Desired struct {
		CommandID string `xml:"CommandId,attr"`
	} `xml:"Body>Receive>DesiredStream"`
	Signal struct {
		CommandID string `xml:"CommandId,attr"`
	} `xml:"Body>Signal"`
}

type option struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:",chardata"`
}

func (e *envelope) has(o option) bool { return slices.Contains(e.Options, o) }

const ns = `xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"`

// ServeHTTP answers.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	if err != nil || !h.authenticated(w, r) {
		return
	}
	var e envelope
	if err := xml.Unmarshal(data, &e); err != nil || r.URL.Path != "/wsman" || !strings.HasSuffix(e.Resource, "/windows/shell/cmd") {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	status, body := h.answer(&e)
	w.WriteHeader(status)
	fmt.Fprintf(w, `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header><a:Action>%sResponse</a:Action><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>`, e.Action, e.MessageID, body)
}

func refuse(code, text string) (int, string) {
	return http.StatusInternalServerError, `<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en-US">` + text + `</s:Text></s:Reason>` +
		`<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="` + code + `" Machine="hv1"><f:Message>` + text + `</f:Message></f:WSManFault></s:Detail></s:Fault>`
}

func (h *Host) answer(e *envelope) (status int, body string) {
	_, verb, _ := strings.Cut(e.Action[strings.LastIndex(e.Action, "/"):], "/")
	if verb != "Create" && !h.shells[e.Shell] {
		return refuse("2150858843", "The request contained invalid selectors for the resource.")
	}
	switch verb {
	case "Create":
		if !e.has(option{"WINRS_CODEPAGE", "65001"}) {
			return refuse("1", "output would not be UTF-8")
		}
		h.next++
		id := fmt.Sprintf("11111111-0000-0000-0000-%012d", h.next)
		h.shells[id] = true
		return http.StatusOK, `<rsp:Shell ` + ns + `><rsp:ShellId>` + id + `</rsp:ShellId></rsp:Shell>`
	case "Command":
		if !e.has(option{"WINRS_CONSOLEMODE_STDIN", "FALSE"}) {
			return refuse("1", "the input would be a console, which never ends")
		}
		h.next++
		id := fmt.Sprint("command-", h.next)
		h.commands[id] = &command{line: e.Command}
		return http.StatusOK, `<rsp:CommandResponse ` + ns + `><rsp:CommandId>` + id + `</rsp:CommandId></rsp:CommandResponse>`
	case "Send":
		return h.input(e)
	case "Receive":
		return h.output(e)
	case "Signal":
		delete(h.commands, e.Signal.CommandID)
		return http.StatusOK, `<rsp:SignalResponse ` + ns + `/>`
	case "Delete":
		delete(h.shells, e.Shell)
		return http.StatusOK, ``
	}
	return refuse("2150858752", "no such action")
}

func (h *Host) input(e *envelope) (int, string) {
	c, data := h.commands[e.Input.CommandID], e.Input.Data
	stdin, err := base64.StdEncoding.DecodeString(data)
	if c == nil || err != nil || e.Input.Name != "stdin" || e.Input.End != "true" {
		return refuse("1", "the input has no end")
	}
	c.ended = true
	c.stdout, c.stderr, c.exit = h.Run(c.line, stdin)
	return http.StatusOK, `<rsp:SendResponse ` + ns + `/>`
}

// output lets the first look run into its time-out.
func (h *Host) output(e *envelope) (int, string) {
	c := h.commands[e.Desired.CommandID]
	if c == nil {
		return refuse("2150858843", "no such command")
	}
	if c.waited++; c.waited == 1 || !c.ended {
		return refuse("2150858793", "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.")
	}
	stream := func(name, text string) string {
		return `<rsp:Stream Name="` + name + `" CommandId="` + e.Desired.CommandID + `">` + base64.StdEncoding.EncodeToString([]byte(text)) + `</rsp:Stream>`
	}
	half := len(c.stdout) / 2
	if c.waited == 2 {
		return http.StatusOK, `<rsp:ReceiveResponse ` + ns + `>` + stream("stdout", c.stdout[:half]) + `<rsp:CommandState CommandId="` + e.Desired.CommandID + `" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Running"/></rsp:ReceiveResponse>`
	}
	return http.StatusOK, `<rsp:ReceiveResponse ` + ns + `>` + stream("stdout", c.stdout[half:]) + stream("stderr", c.stderr) +
		`<rsp:Stream Name="stdout" CommandId="` + e.Desired.CommandID + `" End="true"></rsp:Stream><rsp:CommandState CommandId="` + e.Desired.CommandID +
		`" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>` + fmt.Sprint(c.exit) + `</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`
}
