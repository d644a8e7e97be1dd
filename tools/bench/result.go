package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Units that Compare knows: instructions of the guest's processor, which can be
// compared between runs.
const (
	unitInstructions        = "instructions"
	unitInstructionsPerByte = "instructions/byte"
)

// A Metric is one number of the table.
type Metric struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`

	// Reference is what a TamaGo firmware with the same stack took in a run of
	// its own, on another machine; zero for not measured.
	Reference float64 `json:"reference,omitempty"`
	// Limit is the most that it should be; zero for none.
	Limit float64 `json:"limit,omitempty"`
	// Least is the least that it should be; zero for none.
	Least float64 `json:"least,omitempty"`
	Note  string  `json:"note,omitempty"`
	// Portable is the same, of an image whose cryptography is portable code; zero for
	// not measured.
	Portable float64 `json:"portable,omitempty"`

	group string
}

// Result is what a run measured.
type Result struct {
	Board   string   `json:"board"`
	Go      string   `json:"go"`
	QEMU    string   `json:"qemu"`
	Quick   bool     `json:"quick,omitempty"`
	Metrics []Metric `json:"metrics"`

	group string
}

// section starts a group of the table.
func (r *Result) section(title string) { r.group = title }

func (r *Result) add(id, title string, value float64, unit, note string) {
	r.Metrics = append(r.Metrics, Metric{
		ID: id, Title: title, Value: value, Unit: unit, Note: note,
		Reference: reference[id], Limit: limits[id], Least: least[id], group: r.group,
	})
}

// Metric returns the metric of that id.
func (r *Result) Metric(id string) (Metric, bool) {
	for _, m := range r.Metrics {
		if m.ID == id {
			return m, true
		}
	}
	return Metric{}, false
}

// limits are what a developer should not have to wait longer for, on two cores that have
// nothing else to do, what a connection that waits may keep, and how even latencies are.
var limits = map[string]float64{
	"image.build":          15,  // s
	"boot.console":         150, // ms
	"boot.handshake":       350,
	"load.connection":      12, // KB
	"load.connection.used": 12,

	"load.echo.out.p50":     2, // ms
	"load.echo.out.p99":     8,
	"load.echo.in.p50":      2,
	"load.echo.in.p99":      8,
	"load.own.echo.out.p50": 2,
	"load.own.echo.out.p99": 8,
	"load.own.echo.in.p50":  2,
	"load.own.echo.in.p99":  8,

	"load.handshake.spread":     3, // p99 ÷ p50
	"load.own.handshake.spread": 3,
}

// least are what is to be had at least.
var least = map[string]float64{
	"load.lossy.in":  0.6, // of the throughput without faults
	"load.lossy.out": 0.6,
}

// reference holds TamaGo's figures.
var reference = map[string]float64{
	"boot.console":           200,
	"boot.handshake":         444,
	"image.size":             7.15,
	"memory.connection":      19,
	"memory.held":            500,
	"handshake.default":      25,
	"plain.in":               5.2,
	"plain.out":              2.0,
	"tls.in":                 3.6,
	"tls.out":                1.8,
	"echo.tls.p50":           1.6,
	"count.plain.in":         30.3,
	"count.plain.out":        54.2,
	"count.tls.in":           95.8,
	"count.tls.out":          121.6,
	"count.echo.plain":       125_600,
	"count.handshake":        14_490_000,
	"count.handshake.x25519": 12_250_000,
}

// WriteTable prints the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s\n", r.Board, r.Go, r.QEMU)
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	beside := slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Portable != 0 })
	header := ""
	if beside {
		header = "portable\t"
	}
	fmt.Fprintf(t, "\tmeasured\t\t%sat most\tTamaGo*\t\n", header)
	group := ""
	for _, m := range r.Metrics {
		if strings.HasPrefix(m.ID, layerPrefix) {
			continue // they have a table of their own
		}
		if m.group != group {
			group = m.group
			fmt.Fprintf(t, "%s\t\t\t%s\t\t\n", group, strings.Repeat("\t", len(header)/len("portable")))
		}
		ref := ""
		if m.Reference != 0 {
			ref = number(m.Reference)
		} else if zeroReference[m.ID] {
			ref = "0"
		}
		portable := ""
		if m.Portable != 0 {
			portable = number(m.Portable)
		}
		if beside {
			portable += "\t"
		}
		limit := ""
		if m.Limit != 0 {
			if limit = number(m.Limit); m.Value > m.Limit {
				limit += " EXCEEDED"
			}
		} else if m.Least != 0 {
			if limit = "at least " + number(m.Least); m.Value < m.Least {
				limit += " MISSED"
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s%s\t%s\t%s\n", m.Title, number(m.Value), m.Unit, portable, limit, ref, m.Note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	if err := r.writeLayers(w); err != nil {
		return err
	}
	if !beside {
	} else if _, err := fmt.Fprintln(w, "portable: an image without assembly for ciphers. At the host's speed it says less than in instructions: QEMU is slow at NEON's."); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "* another firmware with the same stack, from a run on another machine: a scale, not a comparison.")
	return err
}

// zeroReference lists the metrics whose reference is zero.
var zeroReference = map[string]bool{"idle.cpu": true}

// Format writes a value as the table does.
func Format(v float64) string { return number(v) }

// number writes three significant digits, and all digits before the point, in
// groups.
func number(v float64) string {
	digits := 0
	switch {
	case v == 0:
	case math.Abs(v) < 0.1:
		digits = 3
	case math.Abs(v) < 10:
		digits = 2
	case math.Abs(v) < 100:
		digits = 1
	}
	s := fmt.Sprintf("%.*f", digits, v)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// WriteJSON writes the result for ReadFile.
func (r *Result) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// ReadFile reads what WriteJSON wrote.
func ReadFile(file string) (*Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
