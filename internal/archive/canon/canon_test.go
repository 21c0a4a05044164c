package canon

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestLayout(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                          "{}\n",
		`{"a":1}`:                     "{\n  \"a\": 1\n}\n",
		`{"a":[],"b":{},"c":[1,"x"]}`: "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    \"x\"\n  ]\n}\n",
		`{"f":{"os":{"id":"rhel","v":"9"},"l":["a","b"]},"p":[{"n":"x","e":["1","2"]},{"n":"y"}],"z":1}`: `{
  "f": {
    "os": {
      "id": "rhel",
      "v": "9"
    },
    "l": [
      "a",
      "b"
    ]
  },
  "p": [
    {"n":"x","e":["1","2"]},
    {"n":"y"}
  ],
  "z": 1
}
`,
		`{"t":"a\"{[:,\\"}`:           "{\n  \"t\": \"a\\\"{[:,\\\\\"\n}\n",
		"{\"t\":\"\u009b31m\u202e\"}": "{\n  \"t\": \"\\u009b31m\\u202e\"\n}\n",
	} {
		got, err := Encode(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", in, got, err, want)
		}
	}
}

// FuzzLayout holds that laying out changes nothing but white space and
// escapes, and that it is done once and for all.
func FuzzLayout(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":[1,{"c":{}}]}],"d":{"e":"\u001b[31m\u009b"}}`))
	f.Add([]byte(`[[1],[{"a":[]}]]`))
	f.Add([]byte("\"\u202e\""))
	f.Fuzz(func(t *testing.T, in []byte) {
		var want any
		if json.Unmarshal(in, &want) != nil {
			return
		}
		first, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(first, &got); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		again, err := Encode(got)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%q became %q, %v", first, again, err)
		}
		if bytes.ContainsAny(first, "\x1b\x7f") {
			t.Fatalf("control characters in %q", first)
		}
	})
}
