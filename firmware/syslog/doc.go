// Package syslog sends a firmware's log to a collector, over TLS.
//
//	collector, err := syslog.New(syslog.Options{
//		To:      "logs.example:6514",
//		Console: slog.NewTextHandler(os.Stderr, nil),
//	})
//	firmware.Main(firmware.Config{
//		Log:      slog.New(collector),
//		Services: []firmware.Service{echo, collector.Service()},
//		...
//	})
//
// [Handler] is a slog.Handler. Each record goes to Console at once, and into a queue from
// which the service sends it, as RFC 5424 has it, framed by RFC 5425: a number of octets,
// a blank, the message. So what happened before there was a network is sent too.
//
// Logging never waits for the collector. When the queue is full, because the collector is
// away or slow, new records are dropped and counted; as soon as there is room again, a
// record says how many were lost. A collector that is away is tried again after pauses
// that grow from one second to a minute, and the console hears of it once until that has
// changed.
//
// TLS gives no receipt: what was on its way when a connection broke is lost, and not
// counted. Nothing is sent twice.
//
// # What is sent
//
//	<134>1 2026-11-22T10:00:00.123456Z device ingot - - [ingot@32473 service="echo"] ready
//
// The facility is Facility, local0 by default; the severity is the level's: debug,
// informational, warning, error. Attributes are one element of structured data. Text is
// UTF-8, without control characters, and cut to MaxMessage.
package syslog
