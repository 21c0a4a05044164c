package foremanapi

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzHost: whatever valid JSON a server sends for a host, one host's record
// decodes or gives an error, and never breaks the program.
func FuzzHost(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"id":"7","name":7,"content_facet_attributes":{"errata_counts":{"total":"3","applicable":null}}}`,
		`{"id":1,"name":"a","all_parameters":[{"name":"x","value":{"a":[1]},"hidden_value?":"true"},null,5]}`,
		`{"content_facet_attributes":{"content_view_environments":[{"content_view":null}]}}`, `{"reported_data":[],"traces_status":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := decodeHost(b)
		if r.Err == nil && !json.Valid(b) {
			t.Errorf("invalid JSON was accepted: %q", b)
		}
		_ = recordID(b)
	})
}

// FuzzErrorBody: the message of any answer is one bounded line of valid text.
func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{`{"error":{"message":"x","missing_permissions":["a"]}}`, `<html><script>x</script>&lt;b&gt;`, `{"errors":{"a":["b"]}}`, "\xff\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, _ := decodeError(b)
		if len(msg) > 510 || !utf8.ValidString(msg) || strings.ContainsAny(msg, "\n\r\x1b\x00") {
			t.Errorf("message is %q", msg)
		}
	})
}

// FuzzErratum: as FuzzHost.
func FuzzErratum(f *testing.F) {
	f.Add([]byte(`{"errata_id":"RHSA-1","cves":null,"packages":[null,"a-1-1.noarch",{}],"module_streams":{},"applicable_hosts":[{"id":"x"}],"installable":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Erratum
		if err := json.Unmarshal(b, &e); err == nil && !json.Valid(b) {
			t.Errorf("invalid JSON was accepted: %q", b)
		}
	})
}

// FuzzQuote: no text can leave its quotes.
func FuzzQuote(f *testing.F) {
	f.Add(`a" or name = "b`)
	f.Add(`\`)
	f.Add(`\"`)
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if q[0] != '"' || q[len(q)-1] != '"' {
			t.Fatalf("no quotes: %s", q)
		}
		inner := q[1 : len(q)-1]
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' {
				i++
				if i == len(inner) {
					t.Fatalf("the closing quote is escaped: %s", q)
				}
			} else if inner[i] == '"' {
				t.Fatalf("the quotes end early: %s", q)
			}
		}
	})
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2021-05-12 08:18:26 UTC": "2021-05-12T08:18:26Z", "2016-05-26 10:46:26 -0400": "2016-05-26T14:46:26Z",
		"2012-01-27": "2012-01-27T00:00:00Z", "2018-11-16T10:02:08.338Z": "2018-11-16T10:02:08Z", "2016-05-26T10:02:08Z": "2016-05-26T10:02:08Z",
		"": "0001-01-01T00:00:00Z", "yesterday": "0001-01-01T00:00:00Z", "2021-05-12 08:18:26 CEST": "0001-01-01T00:00:00Z",
	} {
		if got := ParseTime(in).Format("2006-01-02T15:04:05Z07:00"); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, tc := range []struct {
		v      string
		than   []int
		before bool
	}{
		{"3.12.0-develop", []int{3, 12}, false}, {"3.9.1.6", []int{3, 10}, true}, {"4.14.0.1", []int{4, 3}, false},
		{"2", []int{2, 1}, true}, {"", []int{9}, false}, {"nightly", []int{1}, false}, {"4.10.0.rc1", []int{4, 10}, false},
	} {
		if got := ParseVersion(tc.v).Before(tc.than...); got != tc.before {
			t.Errorf("%q before %v: %v", tc.v, tc.than, got)
		}
	}
	old, current := Server{Katello: ParseVersion("4.9.0")}, Server{Katello: ParseVersion("4.10.0")}
	if !old.Can(Agent) || current.Can(Agent) || (&Server{}).Can(Agent) {
		t.Error("the agent went with Katello 4.10, and unknown is no")
	}
}
