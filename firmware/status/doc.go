// Package status shows how a firmware is doing, to those who may know.
//
//	service, err := status.New(status.Options{
//		Options: endpoint.Options{Listen: ":9443", ClientGroup: "operators"},
//	})
//
// It is there only if a program names it, and it asks clients for certificates: what it
// tells is of use to attackers.
//
//	/              a page with live plots, which asks for /status.json once a second
//	/status.json   a [Status]
//	/metrics       the same for Prometheus (text format 0.0.4)
//
// The page, its style and its script have 12 KB, load nothing from elsewhere, and say so
// in their Content-Security-Policy. It can be used with the keyboard, follows the
// system's choice of light or dark, and stops its plots when asked to, or when the tab
// isn't seen.
//
// Services are those of package endpoint and of what is built on it. Counters begin when
// the firmware does. Bytes are those on the wire, TLS's own included.
package status
