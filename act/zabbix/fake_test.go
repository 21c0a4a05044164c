package zabbix_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A fake answers as the documentation of a Zabbix version says.
type fake struct {
	version string
	seen    string // how it was spoken to
	logins  int
	expire  bool // the next call finds its session ended
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
		Auth   string          `json:"auth"`
	}
	if json.NewDecoder(r.Body).Decode(&q) != nil || r.URL.Path != "/api_jsonrpc.php" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch q.Method {
	case "apiinfo.version":
		fmt.Fprintf(w, `{"result":%q}`, f.version)
	case "user.login":
		f.logins++
		f.seen = "user"
		if strings.Contains(string(q.Params), `"username"`) {
			f.seen = "username"
		}
		fmt.Fprint(w, `{"result":{"sessionid":"s3ss10n","username":"Admin","type":"3"}}`)
	case "host.get":
		f.hosts(w, r, q.Auth, string(q.Params))
	}
}

func (f *fake) hosts(w http.ResponseWriter, r *http.Request, auth, params string) {
	if f.expire {
		f.expire = false
		fmt.Fprint(w, `{"error":{"code":-32602,"message":"Invalid params.","data":"Session terminated, re-login, please."}}`)
		return
	}
	switch {
	case auth == "s3ss10n" && r.Header.Get("Authorization") == "":
		f.seen += " body"
	case r.Header.Get("Authorization") == "Bearer s3ss10n" && auth == "":
		f.seen += " bearer"
	}
	for _, s := range []string{"selectGroups", "selectHostGroups"} {
		if strings.Contains(params, `"`+s+`"`) {
			f.seen += " " + s
		}
	}
	fmt.Fprint(w, `{"result":[{"hostid":"1","host":"a","name":"A","status":"0"}]}`)
}
