package foremanapi

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

// TestRecordedReports reads every answer about config reports that was
// recorded: of the newest report, of one just uploaded, and that there is none.
func TestRecordedReports(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recorded(t), "recorded-examples", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded examples", err)
	}
	found, missing, denied, logs := 0, 0, 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var examples map[string][]string
		if err := json.Unmarshal(b, &examples); err != nil {
			t.Fatal(err)
		}
		for _, action := range []string{"config_reports#last", "config_reports#show", "config_reports#create"} {
			for _, e := range examples[action] {
				body, status := splitExample(e)
				f, c := newFake(t)
				f.mux.HandleFunc("GET /api/hosts/{id}/config_reports/last", func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					_, _ = w.Write([]byte(body))
				})
				if !json.Valid([]byte(body)) {
					continue // cut off by whoever documented it
				}
				r, ok, err := c.LastReport(t.Context(), 7)
				switch {
				case status == 404 && err == nil && !ok:
					missing++
				case status == 403 && katprep.KindOf(err) == katprep.Denied:
					denied++
				case status < 300 && err == nil && ok && !r.At.IsZero():
					found++
					logs += len(r.Sources)
				default:
					t.Errorf("%s %s: %d: %+v %v %v", filepath.Base(file), action, status, r, ok, err)
				}
			}
		}
	}
	if found < 5 || missing < 5 || denied < 3 {
		t.Errorf("%d reports, %d missing, %d denied: that is not what was recorded", found, missing, denied)
	}
}

// TestUploadReport holds the body to what real clients upload: the recorded
// fixtures have every key that we send.
func TestUploadReport(t *testing.T) {
	f, c := newFake(t)
	var sent map[string]any
	answer, status := `{"id":34}`, 201
	f.mux.HandleFunc("POST /api/config_reports", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&sent)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	})
	r := ConfigReport{Host: "web01.example.com", At: time.Date(2026, 11, 12, 22, 10, 5, 0, time.UTC), Source: "katprep", Seconds: 3,
		Status: ReportStatus{Applied: 5000, Pending: 70}, Logs: []ReportLog{{"notice", `a "b" <c>`}}}
	fresh, err := c.UploadReport(t.Context(), &Server{Foreman: ParseVersion("3.12.0")}, r)
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	report := sent["config_report"].(map[string]any)
	if report["reported_at"] != "2026-11-12 22:10:05 UTC" || report["status"].(map[string]any)["applied"] != 1023.0 {
		t.Errorf("sent %v", report)
	}
	known := keysOfFixtures(t)
	for _, k := range flatten("", sent) {
		if !slices.Contains(known, k) {
			t.Errorf("no recorded upload has %s", k)
		}
	}
	if _, err := c.UploadReport(t.Context(), &Server{Foreman: ParseVersion("2.3.5")}, r); err != nil {
		t.Fatal(err)
	}
	if n := sent["config_report"].(map[string]any)["status"].(map[string]any)["pending"]; n != 63.0 {
		t.Errorf("old servers keep six bits: %v", n)
	}
	answer, status = `{"error":{"id":null,"errors":{"reported_at":["has already been taken"]},"full_messages":["Reported at has already been taken"]}}`, 422
	if fresh, err := c.UploadReport(t.Context(), &Server{}, r); err != nil || fresh {
		t.Errorf("a report that is there: %v, %v", fresh, err)
	}
	answer = `{"error":{"id":null,"errors":{"host":["can't be blank"]},"full_messages":["Host can't be blank"]}}`
	if _, err := c.UploadReport(t.Context(), &Server{}, r); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("another fault: %v", err)
	}
}

func keysOfFixtures(t *testing.T) (keys []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded(t), "config-reports", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded uploads", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, flatten("", v)...)
	}
	return keys
}

// flatten lists the paths of keys; elements of lists share one.
func flatten(path string, v any) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			keys = append(append(keys, strings.TrimPrefix(path+"."+k, ".")), flatten(path+"."+k, x)...)
		}
	case []any:
		for _, x := range v {
			keys = append(keys, flatten(path+"[]", x)...)
		}
	}
	return keys
}
