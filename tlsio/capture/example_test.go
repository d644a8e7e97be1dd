package capture_test

import (
	"context"
	"fmt"
	"os"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/capture"
)

// A client that keeps a recording when a connection fails, for somebody to look at.
func ExampleRecorder() {
	recorder, err := capture.New(capture.Options{Total: 256 << 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tlsio.Dial(context.Background(), tlsio.HostNetwork{}, "server.example:443", tlsio.TLSOptions{Tap: recorder.Tap})
	if err != nil {
		file, err := os.OpenFile("failed.pcapng", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600) // it holds secrets
		if err != nil {
			fmt.Println(err)
			return
		}
		defer file.Close()
		if _, err := recorder.WriteTo(file); err != nil {
			fmt.Println(err)
		}
		recorder.Forget()
	}
}

// A recording without a network: what a tap is told comes out as a file.
func ExampleRecorder_WriteTo() {
	recorder, _ := capture.New(capture.Options{})
	tap := recorder.Tap(nil, nil, false)
	tap.Sent([]byte("hello"))
	tap.Closed(nil)
	fmt.Println(recorder.Report().Connections, "connection")
	recorder.Forget()
	fmt.Println(recorder.Report().Connections, "connections")
	// Output:
	// 1 connection
	// 0 connections
}
