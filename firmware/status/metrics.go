package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Metrics returns s in Prometheus' text format, version 0.0.4.
func (s *Status) Metrics() string {
	var m metrics
	m.one("ingot_info", "gauge", "What runs.", 1, "board", s.Board, "go", s.Go, "time_source", s.TimeSource, "entropy_source", s.EntropySource)
	m.one("ingot_uptime_seconds", "gauge", "Time since the firmware began.", s.Uptime)
	m.one("ingot_busy_seconds_total", "counter", "Time that the processor was busy.", s.Busy)
	m.one("ingot_time_seconds", "gauge", "The clock, since 1970.", float64(s.Time.UnixMilli())/1e3)
	m.one("ingot_ram_bytes", "gauge", "RAM of the machine.", float64(s.Memory.RAM))
	m.one("ingot_ram_free_bytes", "gauge", "RAM in no use at all.", float64(s.Memory.Free))
	m.one("ingot_heap_bytes", "gauge", "Heap of the program.", float64(s.Memory.Heap))
	m.one("ingot_stacks_bytes", "gauge", "Stacks of the program.", float64(s.Memory.Stacks))
	m.one("ingot_memory_limit_bytes", "gauge", "Limit of the program's memory, 0 for none.", float64(s.Memory.Limit))
	m.one("ingot_goroutines", "gauge", "Goroutines.", float64(s.Memory.Goroutines))
	m.one("ingot_gcs_total", "counter", "Garbage collections.", float64(s.Memory.GCs))
	for _, f := range []struct {
		name, kind, help string
		value            func(*Service) float64
	}{
		{"ingot_connections", "gauge", "Connections now, in handshake or after it.", func(s *Service) float64 { return float64(s.Open) }},
		{"ingot_connections_total", "counter", "Connections that were let in.", func(s *Service) float64 { return float64(s.Accepted) }},
		{"ingot_handshakes_total", "counter", "TLS handshakes that were completed.", func(s *Service) float64 { return float64(s.Handshakes) }},
		{"ingot_handshakes_resumed_total", "counter", "TLS handshakes that resumed a session.", func(s *Service) float64 { return float64(s.Resumed) }},
		{"ingot_received_bytes_total", "counter", "Bytes from peers on the wire.", func(s *Service) float64 { return float64(s.Received) }},
		{"ingot_sent_bytes_total", "counter", "Bytes to peers on the wire.", func(s *Service) float64 { return float64(s.Sent) }},
		{"ingot_messages_total", "counter", "Requests, messages or connections that were answered.", func(s *Service) float64 { return float64(s.Messages) }},
	} {
		m.begin(f.name, f.kind, f.help)
		for i := range s.Services {
			m.value(f.name, f.value(&s.Services[i]), "service", s.Services[i].Name, "kind", s.Services[i].Kind)
		}
	}
	m.begin("ingot_errors_total", "counter", "Connections that were refused or failed, by reason.")
	for _, service := range s.Services {
		reasons := make([]string, 0, len(service.Errors))
		for reason := range service.Errors {
			reasons = append(reasons, reason)
		}
		slices.Sort(reasons)
		for _, reason := range reasons {
			m.value("ingot_errors_total", float64(service.Errors[reason]), "service", service.Name, "kind", service.Kind, "reason", reason)
		}
	}
	return m.String()
}

// metrics is text under way.
type metrics struct{ strings.Builder }

func (m *metrics) one(name, kind, help string, value float64, labels ...string) {
	m.begin(name, kind, help)
	m.value(name, value, labels...)
}

func (m *metrics) begin(name, kind, help string) {
	fmt.Fprintf(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// labelValues escapes as the format wants it.
var labelValues = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (m *metrics) value(name string, value float64, labels ...string) {
	m.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		if i == 0 {
			m.WriteByte('{')
		} else {
			m.WriteByte(',')
		}
		m.WriteString(labels[i] + `="` + labelValues.Replace(strings.ToValidUTF8(labels[i+1], "\ufffd")) + `"`)
	}
	if len(labels) > 0 {
		m.WriteByte('}')
	}
	m.WriteByte(' ')
	m.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	m.WriteByte('\n')
}
