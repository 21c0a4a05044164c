package foremanapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"

	"github.com/stdevel/katprep"
)

// availableErrata is the report template that can tell installable errata
// from applicable ones; its older names cannot.
const availableErrata = "Host - Available Errata"

// A ReportRow is an erratum of a host in the server's report.
type ReportRow struct{ Host, Erratum, Type, Severity string }

// ErrataReport returns the errata of all hosts that the search finds, from
// the server's report template: one request, but the server computes long.
// Details of the errata are not in it.
func (c *Client) ErrataReport(ctx context.Context, server *Server, search string, applicable bool) ([]ReportRow, error) {
	if !server.Can(ReportFormats) {
		return nil, katprep.Errorf(katprep.NotFound, "the server has no reports as CSV")
	}
	id, err := c.reportTemplate(ctx)
	if err != nil {
		return nil, err
	}
	kind := "installable"
	if applicable {
		kind = "applicable"
	}
	b, err := c.raw(ctx, callGenerateReport, []string{strconv.FormatInt(id, 10)}, nil, map[string]any{
		"input_values":  map[string]any{"Hosts filter": search, "Installability": kind},
		"report_format": "csv",
		"gzip":          false,
	})
	if err != nil {
		return nil, err
	}
	return parseReport(b)
}

func (c *Client) reportTemplate(ctx context.Context) (int64, error) {
	q := url.Values{"search": {Equal("name", availableErrata)}, "per_page": {"20"}}
	page, err := c.page(ctx, callReports, nil, q, nil)
	if err != nil {
		return 0, err
	}
	for _, raw := range page.Results {
		var n Named
		if json.Unmarshal(raw, &n) == nil && n.ID.Valid && n.Name == availableErrata {
			return n.ID.N, nil
		}
	}
	return 0, katprep.Errorf(katprep.NotFound, "the server has no report template %q, or does not show it", availableErrata)
}

// parseReport reads the CSV. No row at all is an empty report; a header
// without the columns we need is not.
func parseReport(b []byte) ([]ReportRow, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "report of errata: %w", err)
	}
	column := func(name string) int { return slices.Index(header, name) }
	host, erratum, kind, severity := column("Host"), column("Erratum"), column("Type"), column("Severity")
	if host < 0 || erratum < 0 {
		return nil, katprep.Errorf(katprep.Corrupt, "report of errata: no columns Host and Erratum in %q", oneLine(string(b), 100))
	}
	var rows []ReportRow
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil || len(rec) <= max(host, erratum) {
			return nil, katprep.Errorf(katprep.Corrupt, "report of errata: line %d is damaged", len(rows)+2)
		}
		rows = append(rows, ReportRow{Host: rec[host], Erratum: rec[erratum], Type: at(rec, kind), Severity: at(rec, severity)})
	}
}

func at(rec []string, i int) string {
	if i < 0 || i >= len(rec) {
		return ""
	}
	return rec[i]
}
