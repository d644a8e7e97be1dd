// Command ingot-firmware is the default firmware: it echoes over TLS.
//
// Its certificate store is the folder certs/image beside this file. 'make certs'
// fills it with development certificates, and certs/host with what the programs
// on the other end need. Environment variables, given with the boot
// parameters, change what it does:
//
//	INGOT_LISTEN       address of the echo service (default :8443)
//	INGOT_CLIENT_AUTH  request or require: ask clients for certificates, which the
//	                   store's anchors must have issued
//	INGOT_ALPN         protocols to agree on, best first, separated by commas
//
// Those of the network are package firmware's.
package main

import (
	"cmp"
	"embed"
	"io/fs"
	"os"
	"strings"

	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

//go:embed all:certs/image
var certificates embed.FS

func main() {
	store, err := fs.Sub(certificates, "certs/image")
	if err != nil {
		panic(err) // the name is malformed, which it is not
	}
	options := tlsio.TLSOptions{ClientAuth: tlsio.ClientAuth(os.Getenv("INGOT_CLIENT_AUTH"))}
	if protocols := os.Getenv("INGOT_ALPN"); protocols != "" {
		options.ApplicationLayerProtocol = strings.Split(protocols, ",")
	}
	services, background := extra(&options)
	firmware.Main(firmware.Config{
		Certs: store,
		Services: append(services, firmware.Service{
			Name:   "echo",
			Listen: cmp.Or(os.Getenv("INGOT_LISTEN"), ":8443"),
			TLS:    options,
			Serve:  firmware.Echo,
		}),
		Background: background,
	})
}
