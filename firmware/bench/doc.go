// Package bench is what a benchmark image serves beside the echo: sinks, sources
// and an echo, over TLS and in the clear, and a control connection that tells what
// the inside of the machine looks like.
//
// It is part of an image only when that is built with the tag bench; a test of
// the default firmware sees to it. The other end is 'ingot bench'.
//
// # Transfers
//
// A sink reads until its peer has sent everything, then answers with the number
// of bytes as 8 bytes, big-endian, and closes. A source reads such a number and
// sends that many bytes. So both ends know exactly what was transferred, and a
// measurement never counts what is still in a buffer.
//
// Two relays (package relay) terminate TLS in front of a sink and a source that are
// elsewhere: so what they cost is measured without what the other side does.
//
// # Control
//
// Over TLS: one JSON object per line asks ([Request]), one per line answers
// ([Answer]). Requests are answered in order.
//
//	{"op":"status"}                         memory, goroutines, kernel counters
//	{"op":"counters"}                       the kernel's counters alone: cheap
//	{"op":"rate","name":"sha256","ms":200}  how fast something is computed
//	{"op":"gc"}                             collect and give memory back, then status
//	{"op":"live"}                           what is in use, by who has allocated it ([LiveVar])
//	{"op":"set","name":"GOMAXPROCS","value":1}
//	{"op":"profile","value":10000}          sample what runs, so often per busy second
//	{"op":"profile","value":0}              no more; the samples
package bench

// Ports at which ingot-firmware offers the services.
const (
	PortEcho      = 8443 // the default firmware's own service, TLS
	PortControl   = 9440 // TLS
	PortTLSSink   = 9441
	PortTLSSource = 9442
	PortSink      = 9443
	PortSource    = 9444
	PortPlainEcho = 9445
	PortHeld      = 9446 // TLS echo for as many connections as come

	// Relays that terminate TLS, if the image is told where to pass it on to.
	PortToSink   = 9447
	PortToSource = 9448
)

// ToSinkVar and ToSourceVar are the environment variables that say where a plaintext
// sink and a source are ("host:port"), which the relays pass TLS on to.
const (
	ToSinkVar   = "INGOT_BENCH_TO_SINK"
	ToSourceVar = "INGOT_BENCH_TO_SOURCE"
)
